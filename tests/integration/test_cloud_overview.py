"""What people and Prometheus are told of the boxes: from entries that boxes really sent."""

import httpx
import pytest

from cloud.app import create_sync_app
from cloud.boxes.health import BoxHealth
from cloud.db.engine import Sessions
from cloud.deps import SyncDeps
from cloud.ingest import intake
from cloud.ingest.intake import Intake
from cloud.ingest.mqtt import frame_handlers
from cloud.ingest.overview import overview
from cloud.metrics import Metrics, create_metrics_app
from cloud.receiving.projection import project_all
from cloud.takers import TAKERS
from sync_protocol.entries import HealthEntry
from sync_protocol.routes import BATCHES, FRAME_TYPE
from tests.integration.conftest import TestBox, TurnedClock


def health(box: TestBox, *, unacked: int = 7, mono_ns: int | None = None) -> HealthEntry:
    stamp = box.stamp()
    if mono_ns is not None:
        stamp["mono_ns"] = mono_ns
    return HealthEntry(
        **stamp,
        unacked=unacked,
        oldest_unacked_s=90,
        runs=1,
        disk_free=1000,
        disk_total=4000,
        disk_level="ok",
        journal_bytes=77,
        blobs_waiting=0,
        link="https",
    )


async def scraped(sessions: Sessions, metrics: Metrics, clock: TurnedClock) -> dict[str, float]:
    app = create_metrics_app(sessions, metrics, clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://metrics") as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    rows = (line.rpartition(" ") for line in answer.text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in rows}


async def test_a_box_that_never_called_is_there_with_nothing_known(
    sessions: Sessions, box: TestBox, clock: TurnedClock
) -> None:
    async with sessions.read() as session:
        (one,) = [one for one in await overview(session, clock.now) if one.id == box.id]
    assert (one.seen_s, one.entries, one.runs, one.newest_run, one.health, one.health_s) == (None, 0, 0, None, None, None)


async def test_the_newest_word_of_a_boot_counts_and_an_older_one_that_comes_late_does_not(
    sessions: Sessions, box: TestBox, clock: TurnedClock
) -> None:
    box.write(health(box, unacked=1, mono_ns=5_000))
    box.write(health(box, unacked=2, mono_ns=4_000))
    await box.deliver(sessions)
    await project_all(sessions, takers=TAKERS)
    async with sessions.read() as session:
        kept = await session.get_one(BoxHealth, box.id)
    assert (kept.content["unacked"], kept.mono_ns) == (1, 5_000)
    assert "boot_id" not in kept.content


async def test_ages_run_with_the_cloud_clock(sessions: Sessions, box: TestBox, clock: TurnedClock) -> None:
    box.write(health(box))
    await box.deliver(sessions)
    await project_all(sessions, takers=TAKERS)
    clock.go(seconds=60)
    async with sessions.read() as session:
        (one,) = [one for one in await overview(session, clock.now) if one.id == box.id]
    assert one.entries == 2
    assert one.newest_run == box.runs[-1].run
    assert one.health_s == pytest.approx(60, abs=1)
    assert one.health is not None
    assert one.health["oldest_unacked_s"] == 90


async def test_a_kind_nobody_takes_and_a_rebuild_without_takers_leave_no_word(sessions: Sessions, box: TestBox) -> None:
    box.write(health(box))
    await box.deliver(sessions)
    await project_all(sessions)
    async with sessions.read() as session:
        assert await session.get(BoxHealth, box.id) is None


async def test_prometheus_gets_counters_of_the_worker_and_figures_of_the_database(
    sessions: Sessions, box: TestBox, clock: TurnedClock
) -> None:
    box.write(health(box))
    await box.deliver(sessions)
    metrics = Metrics()
    metrics.frame(binding="https", answer="ack", entries=2, seconds=0.004)
    metrics.frame(binding="https", answer="fork", entries=5, seconds=0.004)
    before = await scraped(sessions, metrics, clock)
    assert before["tallybox_projection_lag_entries"] == 2
    await project_all(sessions, takers=TAKERS)
    after = await scraped(sessions, metrics, clock)
    assert after["tallybox_projection_lag_entries"] == 0
    assert after['tallybox_frames_total{answer="ack",binding="https"}'] == 1
    assert after['tallybox_frames_total{answer="fork",binding="https"}'] == 1
    assert after['tallybox_entries_acked_total{binding="https"}'] == 2
    mine = [value for name, value in after.items() if name.startswith("tallybox_box_unacked{") and box.id in name]
    assert mine == [7]


async def test_both_bindings_count_every_frame_that_they_answer(
    sessions: Sessions, box: TestBox, clock: TurnedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.note()
    metrics = Metrics()
    deps = SyncDeps(sessions, clock=clock, peer_certificate=lambda _scope: box.certificate(), metrics=metrics)
    transport = httpx.ASGITransport(create_sync_app(deps))
    async with httpx.AsyncClient(transport=transport, base_url="https://cloud.test") as client:
        answer = await client.post(BATCHES, content=box.frame(0, 1), headers={"content-type": FRAME_TYPE})
        assert answer.json()["acked"] == 1
    handle = frame_handlers(Intake(deps))[FRAME_TYPE]
    await handle(box.id, box.frame(1))
    await handle(box.id, b"no frame")
    monkeypatch.setattr(intake, "MAX_WAITING", 0)
    await handle(box.id, box.frame(1))
    found = await scraped(sessions, metrics, clock)
    counted = {name: value for name, value in found.items() if name.startswith("tallybox_frames_total")}
    assert counted == {
        'tallybox_frames_total{answer="ack",binding="https"}': 1,
        'tallybox_frames_total{answer="ack",binding="mqtt"}': 1,
        'tallybox_frames_total{answer="schema",binding="mqtt"}': 1,
        'tallybox_frames_total{answer="slow_down",binding="mqtt"}': 1,
    }
    assert found['tallybox_entries_acked_total{binding="https"}'] == found['tallybox_entries_acked_total{binding="mqtt"}'] == 1
