"""The box's health for a technician: every figure with a judgement, as a page and as JSON for scripts."""

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Final, Literal

from markupsafe import Markup

from edge.disk.levels import MIB, Level
from edge.health.facts import BoxHealth
from edge.kiosk.live import DeviceFact
from edge.kiosk.texts import Words, day, ltr

State = Literal["ok", "off", "warn", "bad"]
"""`off`: not known or not there, and nothing wrong with that."""

CERTIFICATE_WARN_DAYS: Final = 20
"""Certificates live 90 days and are renewed when two thirds are over: with less than this left the renewal has failed."""

LATE_S: Final = 3600
"""An entry that waits for an hour while the cloud is reached does not go out by itself any more."""

SLOW_COMMIT_US: Final = 500_000
"""A card that takes half a second to save is worn out or about to fail; operators wait for it at every press."""

_LEVELS: Final[dict[Level, State]] = {Level.OK: "ok", Level.PRUNE: "ok", Level.SHED: "warn", Level.FULL: "bad"}
_URGENCY: Final[dict[State, int]] = {"bad": 0, "warn": 1}
_CLOCKS: Final[dict[str, State]] = {"ntp": "ok", "cloud": "ok", "rtc": "warn", "none": "warn"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: its name's key, what is shown, a second line, and how it is judged."""

    name: str
    shown: Markup
    about: Markup
    state: State


def figures(health: BoxHealth, devices: list[DeviceFact], today: date, words: Words) -> list[Figure]:
    """What needs a person first, since a small panel shows six; else a technician's questions: is it through, safe, well."""
    found = [
        _cloud(health, words),
        _waiting(health, words),
        _clock(health, words),
        _certificate(health, today, words),
        _disk(health, words),
        _saving(health, words),
        _sending(health, words),
        _journal(health, words),
        _memory(health, words),
        *(_device(device, words) for device in devices),
    ]
    return sorted(found, key=lambda one: _URGENCY.get(one.state, len(_URGENCY)))


def as_json(health: BoxHealth, devices: list[DeviceFact]) -> dict[str, Any]:
    """What `GET /health.json` answers. Bytes, seconds, milliseconds and microseconds as the names say; null is not known."""
    disk = health.disk
    return {
        "ok": True,
        "box": health.box,
        "firmware": health.firmware,
        "uptime_s": health.uptime_s,
        "uplink": asdict(health.uplink),
        "journal": asdict(health.journal),
        "disk": {
            "level": disk.level,
            "free": disk.usage.free,
            "total": disk.usage.total,
            "reusable": disk.reusable,
            "ballast": disk.ballast,
            "pruned": disk.pruned,
        },
        "clk": health.clk.model_dump(exclude_none=True),
        "blobs_waiting": health.blobs_waiting,
        "rss_bytes": health.rss_bytes,
        "certificate_until": health.certificate_until.isoformat() if health.certificate_until else None,
        "devices": [asdict(device) for device in devices],
    }


def _cloud(health: BoxHealth, w: Words) -> Figure:
    uplink = health.uplink
    binding = ltr(uplink.link.upper()) if uplink.link != "none" else w.t("health.no_link")
    if uplink.alarm:
        return Figure("cloud", w.t("health.refuses", code=uplink.alarm), binding, "bad")
    ago = w.t("health.answered", span=_span(uplink.answered_ago_s, w)) if uplink.answered_ago_s is not None else Markup()
    if uplink.link == "none":
        return Figure("cloud", w.t("health.no_link"), ago, "off")
    return Figure(
        "cloud", w.t("facts.cloud_up" if uplink.up else "facts.cloud_down"), _both(binding, ago), "ok" if uplink.up else "off"
    )


def _waiting(health: BoxHealth, w: Words) -> Figure:
    journal = health.journal
    late = health.uplink.up and (journal.oldest_unacked_s or 0) > LATE_S
    oldest = w.t("health.oldest", span=_span(journal.oldest_unacked_s, w)) if journal.oldest_unacked_s is not None else Markup()
    blobs = w.t("health.blobs", n=health.blobs_waiting) if health.blobs_waiting else Markup()
    return Figure("waiting", ltr(f"{journal.unacked:,}"), _both(oldest, blobs), "bad" if late else "ok")


def _clock(health: BoxHealth, w: Words) -> Figure:
    clk = health.clk
    error = Markup() if clk.err_ms is None else Markup('<bdi dir="ltr">± {}\u00a0ms</bdi>').format(clk.err_ms)
    return Figure("clock", w.t(f"health.clock.{clk.s}"), error, _CLOCKS.get(clk.s, "warn"))


def _certificate(health: BoxHealth, today: date, w: Words) -> Figure:
    until = health.certificate_until
    if until is None:
        return Figure("certificate", w.t("health.none"), Markup(), "off")
    left = (until - today).days
    state: State = "bad" if left < 0 else "warn" if left < CERTIFICATE_WARN_DAYS else "ok"
    about = w.t("health.days_left", n=left) if left >= 0 else w.t("health.expired")
    return Figure("certificate", ltr(day(until.isoformat())), about, state)


def _disk(health: BoxHealth, w: Words) -> Figure:
    usage = health.disk.usage
    if not usage.total:
        return Figure("disk", w.t("health.none"), Markup(), "off")
    share = w.t("health.of", total=_size(usage.total), share=f"{usage.free / usage.total:.0%}")
    level = health.disk.level
    return Figure("disk", ltr(_size(usage.free)), _both(share, w.t(f"health.level.{level}")), _LEVELS[level])


def _saving(health: BoxHealth, w: Words) -> Figure:
    p50, p99 = health.journal.commit_us_p50, health.journal.commit_us_p99
    if p50 is None or p99 is None:
        return Figure("saving", w.t("health.none"), Markup(), "off")
    slow = w.t("health.slowest", time=_ms(p99 / 1000))
    return Figure("saving", ltr(_ms(p50 / 1000)), slow, "warn" if p99 > SLOW_COMMIT_US else "ok")


def _sending(health: BoxHealth, w: Words) -> Figure:
    p50, p99 = health.uplink.batch_ms_p50, health.uplink.batch_ms_p99
    if p50 is None or p99 is None:
        return Figure("sending", w.t("health.none"), Markup(), "off")
    return Figure("sending", ltr(_ms(p50)), w.t("health.slowest", time=_ms(p99)), "ok")


def _journal(health: BoxHealth, w: Words) -> Figure:
    runs = w.t("health.runs", n=health.journal.runs)
    pruned = w.t("health.pruned", n=health.disk.pruned) if health.disk.pruned else Markup()
    return Figure("journal", ltr(_size(health.journal.bytes)), _both(runs, pruned), "ok")


def _memory(health: BoxHealth, w: Words) -> Figure:
    up = w.t("health.uptime", span=_span(health.uptime_s, w)) if health.uptime_s is not None else Markup()
    if health.rss_bytes is None:
        return Figure("memory", w.t("health.none"), up, "off")
    return Figure("memory", ltr(_size(health.rss_bytes)), up, "ok")


def _device(device: DeviceFact, w: Words) -> Figure:
    return Figure(f"role.{device.role}", w.t(f"facts.link.{device.link}"), ltr(device.device), "ok" if device.ok else "bad")


def _both(one: Markup, other: Markup) -> Markup:
    return Markup(" · ").join(part for part in (one, other) if part)


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:.0f}\u00a0ms" if milliseconds >= 10 else f"{milliseconds:.1f}\u00a0ms"


def _size(count: int) -> str:
    """Bytes as a person reads them."""
    if count >= 1024 * MIB:
        return f"{count / (1024 * MIB):.1f}\u00a0GB"
    return f"{count / MIB:.0f}\u00a0MB" if count >= MIB else f"{count / 1024:.0f}\u00a0kB"


def _span(seconds: int, w: Words) -> str:
    """A length of time in its largest unit, from two of it on."""
    value = max(seconds, 0)
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if value >= 2 * length:
            return w.plain(f"health.span.{unit}").format(n=value // length)
    return w.plain("health.span.s").format(n=value)
