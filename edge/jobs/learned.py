"""Codes that operators of this box said the meaning of: known here at once, until the core's own word comes with the mirror."""

from typing import Final

from edge.mirror.view import MasterView
from sync_protocol.entries import StepEntry
from sync_protocol.errors import TextFault
from sync_protocol.masters import Code
from sync_protocol.steps import RECEIVE, Learn, receive_step

LEARNED_REV: Final = 0
"""Revision of the rows that stand here: rows of the core begin at 1."""

MAX_LEARNED: Final = 2000
"""Codes remembered beside the mirror's: staff have said yes or no to older ones long ago."""


class Learned:
    """What the journal's steps taught. The mirror's own rows stand; of two learned ones the newer wins."""

    def __init__(self) -> None:
        self._codes: dict[str, Code] = {}
        self._over: tuple[MasterView, MasterView] | None = None

    def seen(self, entry: StepEntry) -> None:
        """Take note of a step of any job; one that cannot be read teaches nothing."""
        if entry.job_kind != RECEIVE or entry.step != "learn":
            return
        try:
            step = receive_step(entry)
        except TextFault:
            return
        if isinstance(step, Learn):
            key = f"{step.scheme}:{step.code}"
            self._codes.pop(key, None)
            self._codes[key] = Code(scheme=step.scheme, code=step.code, product=step.product, pack=step.pack or "1")
            while len(self._codes) > MAX_LEARNED:
                del self._codes[next(iter(self._codes))]
            self._over = None

    def over(self, masters: MasterView) -> MasterView:
        """The mirror with what was learned since."""
        rows = {("code", key): (LEARNED_REV, code) for key, code in self._codes.items() if ("code", key) not in masters.rows}
        if not rows:
            return masters
        if self._over is None or self._over[0] is not masters:
            self._over = (masters, MasterView({**masters.rows, **rows}, masters.unreadable))
        return self._over[1]
