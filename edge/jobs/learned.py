"""Codes that operators of this box said the meaning of: known here at once, until the core's own word comes with the mirror."""

from collections.abc import Iterable
from typing import Final

from edge.mirror.view import MasterView
from sync_protocol.masters import Code
from sync_protocol.steps import Learn

LEARNED_REV: Final = 0
"""Revision of the rows that stand here: rows of the core begin at 1."""


def with_learned(masters: MasterView, learned: Iterable[Learn]) -> MasterView:
    """The mirror and what was learned since; the mirror's own rows stand, the newest of the learned ones wins."""
    rows = {}
    for step in learned:
        key = ("code", f"{step.scheme}:{step.code}")
        if key not in masters.rows:
            code = Code(scheme=step.scheme, code=step.code, product=step.product, pack=step.pack or "1")
            rows[key] = (LEARNED_REV, code)
    return MasterView({**masters.rows, **rows}, masters.unreadable) if rows else masters
