"""Codes that operators of this box said the meaning of: known here at once, until the core's own word comes with the mirror."""

from typing import Final

from edge.mirror.view import MasterView
from sync_protocol.entries import StepEntry
from sync_protocol.errors import TextFault
from sync_protocol.masters import Code
from sync_protocol.steps import RECEIVE, Learn, Open, receive_step

LEARNED_REV: Final = 0
"""Revision of the rows that stand here: rows of the core begin at 1."""

MAX_RECEIPTS: Final = 256
"""Receipts of which it is remembered whose goods they are: codes are learned while theirs is open."""

MAX_LEARNED: Final = 2000
"""Codes remembered beside the mirror's: staff have said yes or no to older ones long ago."""


class Learned:
    """What the journal's steps taught. The mirror's own rows stand; of two learned ones the newer wins."""

    def __init__(self) -> None:
        self._codes: dict[str, Code] = {}
        self._suppliers: dict[str, str] = {}
        self._over: tuple[MasterView, MasterView] | None = None

    def seen(self, entry: StepEntry) -> None:
        """Take note of a step of any job; one that cannot be read teaches nothing."""
        if entry.job_kind != RECEIVE or entry.step not in {"open", "learn"}:
            return
        try:
            step = receive_step(entry)
        except TextFault:
            return
        if isinstance(step, Open) and step.supplier is not None:
            self._suppliers[entry.job] = step.supplier
            while len(self._suppliers) > MAX_RECEIPTS:
                del self._suppliers[next(iter(self._suppliers))]
        if isinstance(step, Learn):
            self._learn(step, self._suppliers.get(entry.job) if step.scheme == "supplier" else None)

    def _learn(self, step: Learn, party: str | None) -> None:
        # A supplier's own code says nothing about the goods of another; under this key the core's word takes its place.
        key = ":".join((step.scheme, step.code, *((party,) if party else ())))
        self._codes.pop(key, None)
        self._codes[key] = Code(scheme=step.scheme, code=step.code, product=step.product, pack=step.pack or "1", party=party)
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
