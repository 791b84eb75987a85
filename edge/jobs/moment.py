"""What decisions about a goods receipt depend on besides the job itself."""

from dataclasses import dataclass
from datetime import date, datetime

from edge.jobs.receive import Moment
from edge.mirror.view import MasterView


@dataclass(frozen=True, slots=True)
class Context:
    """The moment of a decision. `at` is None while nothing has set the box's clock."""

    masters: MasterView
    today: date
    now: Moment
    at: datetime | None = None
