"""The health page and the red screen: every figure judged, both languages, nothing new taken while the medium is full."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date

import pytest

from edge.disk.guard import DiskFacts
from edge.disk.levels import MIB, Level, Usage
from edge.errors import JournalFull
from edge.health.facts import BoxHealth, JournalFigures, UplinkFigures
from edge.jobs.routing import Routing
from edge.kiosk.app import create_kiosk
from edge.kiosk.health import figures
from edge.kiosk.live import DeviceFact
from edge.kiosk.status import SyncStatus
from edge.kiosk.store import KioskStore
from edge.kiosk.texts import Words
from sync_protocol.entries import Clk, Entry
from sync_protocol.ids import EntryId
from tests.unit.edge_jobs.station import ORDER, MemoryJournal, Station, masters
from tests.unit.edge_kiosk.conftest import PIN_HASH, PROGRAM, Kiosk, client_of, deps_of
from tests.unit.edge_kiosk.test_kiosk_words import _bare_values

TODAY = date(2026, 11, 22)
WELL = BoxHealth(
    uplink=UplinkFigures("https", up=True, answered_ago_s=4, batch_ms_p50=12, batch_ms_p99=80),
    journal=JournalFigures(3, 2, 7, commit_us_p50=900, commit_us_p99=4100, bytes=40 * MIB),
    disk=DiskFacts(Level.OK, Usage(16_000 * MIB, 12_000 * MIB), 0, True, 0),
    clk=Clk(s="ntp", err_ms=12),
    rss_bytes=64 * MIB,
    uptime_s=90_000,
    certificate_until=date(2027, 2, 1),
    box="01J0000000000000000000000A",
    firmware="0.1.0",
)
DEVICES = [DeviceFact("scale-1", "scale", "up", ok=True), DeviceFact("gauge", "device", "lost", ok=False)]


def at(level: Level, free: int = 12_000) -> BoxHealth:
    return replace(WELL, disk=replace(WELL.disk, level=level, usage=Usage(16_000 * MIB, free * MIB)))


JUDGED = [
    ("cloud", WELL, "ok"),
    ("cloud", BoxHealth(), "off"),
    ("cloud", replace(WELL, uplink=UplinkFigures("mqtt", up=False)), "off"),
    ("cloud", replace(WELL, uplink=replace(WELL.uplink, alarm="revoked")), "bad"),
    ("waiting", WELL, "ok"),
    ("waiting", replace(WELL, journal=replace(WELL.journal, oldest_unacked_s=4000)), "bad"),
    (
        "waiting",
        replace(WELL, journal=replace(WELL.journal, oldest_unacked_s=900_000), uplink=UplinkFigures("https", up=False)),
        "ok",
    ),
    ("clock", WELL, "ok"),
    ("clock", BoxHealth(), "warn"),
    ("certificate", WELL, "ok"),
    ("certificate", replace(WELL, certificate_until=date(2026, 12, 1)), "warn"),
    ("certificate", replace(WELL, certificate_until=date(2026, 11, 21)), "bad"),
    ("certificate", BoxHealth(), "off"),
    ("disk", at(Level.OK), "ok"),
    ("disk", at(Level.PRUNE), "ok"),
    ("disk", at(Level.SHED), "warn"),
    ("disk", at(Level.FULL), "bad"),
    ("disk", BoxHealth(), "off"),
    ("saving", WELL, "ok"),
    ("saving", replace(WELL, journal=replace(WELL.journal, commit_us_p99=700_000)), "warn"),
    ("saving", BoxHealth(), "off"),
    ("sending", WELL, "ok"),
    ("memory", WELL, "ok"),
    ("role.scale", WELL, "ok"),
    ("role.device", WELL, "bad"),
]


@pytest.mark.parametrize("locale", ["he", "en"])
@pytest.mark.parametrize(("name", "health", "state"), JUDGED)
def test_every_figure_is_judged(name: str, health: BoxHealth, state: str, locale: str) -> None:
    found = {one.name: one for one in figures(health, DEVICES, TODAY, Words(locale))}
    assert found[name].state == state
    assert all(one.shown for one in found.values())


def test_what_needs_a_person_comes_first_and_the_rest_keeps_its_order() -> None:
    states = [one.state for one in figures(at(Level.SHED), DEVICES, TODAY, Words("en"))]
    assert states[:2] == ["bad", "warn"]
    assert not {"bad", "warn"} & set(states[2:])
    names = [one.name for one in figures(WELL, DEVICES[:1], TODAY, Words("en"))]
    assert (names[0], names[-1]) == ("cloud", "role.scale")


class RefusingJournal(MemoryJournal):
    """A journal on a medium that can be filled."""

    def __init__(self) -> None:
        super().__init__()
        self.health = WELL

    async def append(self, entry: Entry) -> EntryId:
        if self.health.disk.level is Level.FULL:
            raise JournalFull("the medium is full")
        return await super().append(entry)


@pytest.fixture
async def filling(store: KioskStore) -> AsyncIterator[tuple[Kiosk, RefusingJournal]]:
    """A kiosk on a medium that the test fills."""
    station = Station(drafts=store)
    station.journal = journal = RefusingJournal()
    station.desk = station.new_desk()
    station.masters = masters(PIN_HASH)
    await station.desk.start()
    sync = [SyncStatus(link_up=True, since_ns=0, waiting=5, oldest_waiting_s=None, box_id="BOX")]
    deps = replace(deps_of(station, store, sync), health=lambda: journal.health, level=lambda: journal.health.disk.level)
    app = create_kiosk(deps)
    async with app.router.lifespan_context(app), client_of(app) as client:
        yield Kiosk(app, deps, station, client, Routing(station.desk), sync), journal


@pytest.mark.parametrize("locale", ["he", "en"])
@pytest.mark.parametrize("health", [WELL, BoxHealth(), at(Level.FULL, 0)])
async def test_the_page_stands_in_both_languages_without_a_session(
    filling: tuple[Kiosk, RefusingJournal], health: BoxHealth, locale: str
) -> None:
    kiosk, journal = filling
    journal.health = health
    page = (await kiosk.client.get("/health", headers={"cookie": f"tallybox_language={locale}"})).text
    assert f'<html lang="{locale}"' in page
    assert page.count('class="primary"') == 1
    assert " style=" not in page
    assert _bare_values(page) == []


async def test_scripts_read_the_same_figures(filling: tuple[Kiosk, RefusingJournal]) -> None:
    kiosk, _ = filling
    found = (await kiosk.client.get("/health.json")).json()
    assert found["disk"] == {
        "level": "ok", "free": 12_000 * MIB, "total": 16_000 * MIB, "reusable": 0, "ballast": True, "pruned": 0,
    }  # fmt: skip
    assert (found["uplink"]["link"], found["journal"]["unacked"], found["clk"]) == ("https", 3, {"s": "ntp", "err_ms": 12})
    assert (found["certificate_until"], found["devices"][0]["link"]) == ("2027-02-01", "up")


@pytest.mark.parametrize("login", ["dana", "omar"])
async def test_a_full_medium_turns_the_screen_red_and_back(filling: tuple[Kiosk, RefusingJournal], login: str) -> None:
    kiosk, journal = filling
    await kiosk.sign_in(login)
    words = Words("he" if login == "dana" else "en")
    for level, red in ((Level.SHED, False), (Level.FULL, True), (Level.SHED, False)):
        journal.health = at(level, 0)
        page, panel = (await kiosk.client.get("/")).text, (await kiosk.client.get("/panel")).text
        assert [words.plain("full.said") in html for html in (page, panel)] == [red, red]
        assert page.count('class="primary"') == 1
        assert _bare_values(page) == []
        assert (await kiosk.state())["full"] is red


async def test_what_is_refused_for_want_of_room_says_so_and_is_not_kept(filling: tuple[Kiosk, RefusingJournal]) -> None:
    kiosk, journal = filling
    await kiosk.sign_in()
    await kiosk.client.post("/api/jobs", json={"order": ORDER}, headers=PROGRAM)
    before = len(journal.entries)
    journal.health = at(Level.FULL, 0)
    answer = await kiosk.act("document", number="DN-1")
    assert (answer.status_code, answer.json()["code"]) == (507, "full")
    assert len(journal.entries) == before
    journal.health = at(Level.SHED, 0)
    assert (await kiosk.act("document", number="DN-1")).status_code == 200


async def test_the_sign_in_page_says_that_the_box_is_full(filling: tuple[Kiosk, RefusingJournal]) -> None:
    kiosk, journal = filling
    journal.health = at(Level.FULL, 0)
    page = (await kiosk.client.get("/signin")).text
    assert Words("he").plain("refused.full") in page


async def test_the_foot_leads_to_the_health_page(filling: tuple[Kiosk, RefusingJournal]) -> None:
    kiosk, _ = filling
    assert 'href="/health"' in (await kiosk.client.get("/signin")).text
    await kiosk.sign_in()
    assert 'href="/health"' in (await kiosk.client.get("/facts")).text


async def test_the_kiosks_own_file_says_that_there_is_no_room_and_goes_on(store: KioskStore) -> None:
    # SQLite's own way to say that a file may not grow.
    await store._db.execute("PRAGMA max_page_count=1")
    with pytest.raises(JournalFull):
        await store.save_draft("j-1", "x" * 100_000)
    await store._db.execute("PRAGMA max_page_count=100000")
    await store.save_draft("j-1", "kept")
    assert await store.load_drafts() == {"j-1": "kept"}
