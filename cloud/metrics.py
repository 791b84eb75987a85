"""Figures of the core for Prometheus: what this worker did, and how the boxes stand in the database when asked."""

from collections.abc import Callable, Iterable

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud.clock import Clock, system_clock
from cloud.db.engine import Sessions
from cloud.ingest.models import RunState
from cloud.ingest.overview import BoxOverview, overview
from cloud.receiving.models import ProjectionCursor, ProjectionFault
from cloud.stock.checking import LastCheck, last_check

FRAME_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""From one quick commit to a database in trouble."""

HEALTH_FIGURES = ("unacked", "oldest_unacked_s", "commit_us_p99", "batch_ms_p99", "disk_free", "journal_bytes", "blobs_waiting")

Figure = Callable[[BoxOverview], float | None]

PER_BOX: tuple[tuple[str, str, Figure], ...] = (
    ("entries", "Entries stored.", lambda one: one.entries),
    ("frames_aside", "Frames kept aside.", lambda one: one.aside),
    ("seen_seconds", "Since the box called last.", lambda one: one.seen_s),
    ("health_seconds", "Since the box last said how it is.", lambda one: one.health_s),
    ("clock_error_ms", "Bound of the box's own clock's error.", lambda one: one.clk_err_ms),
    ("doubted", "1 where sessions say that there are two of the box.", lambda one: int(one.standing.doubt is not None)),
    (
        "decisions_open",
        "Sides of overlapping branches that nobody has decided about.",
        lambda one: one.standing.decisions.count,
    ),
    ("held_runs", "Runs of which entries wait for such a decision.", lambda one: one.standing.waiting.count),
    ("held_entries", "Entries that wait for such a decision.", lambda one: one.standing.waiting.size),
    ("held_seconds", "Since entries wait for such a decision.", lambda one: one.held_s),
    ("gaps", "Gaps of the box's journal that will not be filled.", lambda one: one.standing.gaps_all),
    ("commands_open", "Commands without an end.", lambda one: one.standing.commands.count),
    ("uploads_open", "Files that have begun to come.", lambda one: one.standing.uploads.count),
)


class Metrics:
    """Counters of this worker since it started."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._frames = Counter(
            "tallybox_frames", "Frames answered, by binding and answer.", ["binding", "answer"], registry=self.registry
        )
        self._seconds = Histogram(
            "tallybox_frame_seconds",
            "From a whole frame to its answer.",
            ["binding"],
            buckets=FRAME_SECONDS,
            registry=self.registry,
        )
        self._entries = Counter(
            "tallybox_entries_acked", "Entries in frames that were acked.", ["binding"], registry=self.registry
        )

    def frame(self, *, binding: str, answer: str, entries: int, seconds: float) -> None:
        """One frame was answered: `answer` is `ack`, `need` or the refusal's code."""
        self._frames.labels(binding, answer).inc()
        self._seconds.labels(binding).observe(seconds)
        if answer == "ack":
            self._entries.labels(binding).inc(entries)


class _Found(Collector):
    """What the database said a moment ago, in the form that the library asks for."""

    def __init__(self, boxes: list[BoxOverview], lag: int, faults: int, ledger: tuple[LastCheck, float] | None) -> None:
        self._boxes = boxes
        self._lag = lag
        self._faults = faults
        self._ledger = ledger

    def collect(self) -> Iterable[GaugeMetricFamily]:
        yield GaugeMetricFamily("tallybox_projection_lag_entries", "Entries stored that no record was made of yet.", self._lag)
        yield GaugeMetricFamily("tallybox_projection_faults", "Entries of which no record could be made.", self._faults)
        if self._ledger is not None:
            last, since_s = self._ledger
            yield GaugeMetricFamily("tallybox_stock_differences", "Sums that were not what the moves say.", last.differences)
            yield GaugeMetricFamily("tallybox_stock_checked_seconds", "Since the ledger was checked last.", since_s)
        for name, text, figure in PER_BOX:
            yield _by_box(f"tallybox_box_{name}", text, [(one, figure(one)) for one in self._boxes])
        for name in HEALTH_FIGURES:
            figures = [(one, (one.health or {}).get(name)) for one in self._boxes]
            yield _by_box(f"tallybox_box_{name}", f"`{name}` of the box's last health entry.", figures)


def _by_box(name: str, text: str, figures: list[tuple[BoxOverview, float | int | None]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=["box", "station"])
    for one, value in figures:
        if value is not None:
            family.add_metric([one.id, one.station or ""], value)
    return family


def create_metrics_app(sessions: Sessions, metrics: Metrics, clock: Clock = system_clock) -> FastAPI:
    """`GET /metrics` alone. It tells of every box: serve it where only the collector comes."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @app.get("/metrics")
    async def scrape() -> Response:
        async with sessions.read() as session:
            now_at, last = clock(), await last_check(session)
            ledger = None if last is None else (last, (now_at - last.at).total_seconds())
            found = _Found(await overview(session, now_at), await _lag(session), await _faults(session), ledger)
        now = CollectorRegistry()
        now.register(found)
        return Response(generate_latest(metrics.registry) + generate_latest(now), media_type=CONTENT_TYPE_LATEST)

    return app


async def _lag(session: AsyncSession) -> int:
    behind = RunState.acked - func.coalesce(ProjectionCursor.next_seq, 0)
    query = select(func.sum(behind)).outerjoin(ProjectionCursor, ProjectionCursor.run == RunState.run)
    return int(await session.scalar(query) or 0)


async def _faults(session: AsyncSession) -> int:
    return int(await session.scalar(select(func.count()).select_from(ProjectionFault)) or 0)
