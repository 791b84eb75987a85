"""What a station offers where no job is in hand: its kinds of work, what is open, expected, or has to be looked at."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from edge.jobs.desk import Held, JobDesk
from edge.jobs.movement.count_job import CountJob
from edge.jobs.movement.gate_job import GateJob
from edge.jobs.movement.move_job import MoveJob
from edge.jobs.receive import ReceiveJob
from sync_protocol.masters import Review, Sheet
from sync_protocol.movements import COUNT, GATE, MOVE, PUT_AWAY
from sync_protocol.steps import RECEIVE

FLOWS: Final = (RECEIVE, PUT_AWAY, MOVE, COUNT, GATE)
"""Kinds of work in the order in which a page offers them."""

REVIEWS_SHOWN: Final = 50
"""Rows of the list of what has to be looked at: more are dealt with at a desk."""


@dataclass(frozen=True, slots=True)
class OpenJob:
    """A job that can be gone on with. `about` says which one it is, as far as it has a name."""

    id: str
    kind: str
    about: str | None
    number: str | None
    by: str | None


@dataclass(frozen=True, slots=True)
class HomeView:
    """`waiting`: rows of stock to put away; `expected`: notices of today or overdue; `sheets`: counts this person may make."""

    flows: tuple[str, ...]
    jobs: tuple[OpenJob, ...]
    waiting: int
    expected: int
    notices: int
    reviews: tuple[Review, ...]
    sheets: tuple[Sheet, ...]


def home_view(desk: JobDesk, operator: str) -> HomeView:
    """The station's offer now."""
    masters = desk.masters()
    station = masters.station()
    flows = station.flows if station else [RECEIVE]
    today = desk.context().today
    notices = masters.notices()
    return HomeView(
        flows=tuple(flow for flow in FLOWS if flow in flows),
        jobs=tuple(_open_job(held) for held in desk.open_jobs),
        waiting=len(desk.stock().waiting()) if PUT_AWAY in flows else 0,
        expected=sum(_due(notice.expected_at, today) for notice in notices),
        notices=len(notices),
        reviews=tuple(masters.reviews()[:REVIEWS_SHOWN]),
        sheets=tuple(sheet for sheet in masters.sheets() if not (sheet.second and sheet.counted_by == operator)),
    )


def _open_job(held: Held) -> OpenJob:
    job, about, number = held.job, None, None
    if isinstance(job, ReceiveJob):
        about, number = job.order, job.opened.number if job.opened else None
    elif isinstance(job, MoveJob):
        number = job.opened.number if job.opened else None
    elif isinstance(job, CountJob) and job.opened is not None:
        about, number = job.opened.location.value, job.opened.number
    elif isinstance(job, GateJob) and job.draft is not None and job.draft.container is not None:
        about = job.draft.container.value
    return OpenJob(job.id, held.kind.code, about, number, job.by)


def _due(expected_at: str | None, today: date) -> bool:
    """Today or overdue, by the day that the notice names; one without a time is not waited for."""
    try:
        return expected_at is not None and datetime.fromisoformat(expected_at).date() <= today
    except ValueError:
        return False


def home_json(home: HomeView) -> dict[str, Any]:
    """The offer as `GET /api/state` answers it."""
    return {
        "flows": list(home.flows),
        "jobs": [{"id": job.id, "kind": job.kind, "about": job.about, "number": job.number} for job in home.jobs],
        "waiting": home.waiting,
        "expected": home.expected,
        "notices": home.notices,
        "sheets": [{"ref": sheet.ref, "location": sheet.location, "second": sheet.second} for sheet in home.sheets],
        "reviews": [
            {"job": review.job, "kind": review.kind, "ref": review.ref, "reason": review.reason, "detail": review.detail}
            for review in home.reviews
        ],
    }
