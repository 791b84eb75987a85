"""Where a visitor may do something, for pages that show many records at once: everywhere, or at the sites of their roles.

A role that is given at one site reaches its site's records and those of no site (DECISIONS 22). Ways that look at single
records or hide fields do not count here: whoever has only those finds the records under /o/.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute

from cloud.kernel.access import OPEN, Access
from cloud.masters.models import Site


@dataclass(frozen=True, slots=True)
class Reach:
    """`sites` are codes; None: everywhere."""

    sites: frozenset[str] | None = None

    def allows(self, site: str | None) -> bool:
        """Whether a record of this site (None: of none) is reached."""
        return self.sites is None or site is None or site in self.sites

    def where(self, site_id: "InstrumentedAttribute[int | None] | InstrumentedAttribute[int]") -> ColumnElement[bool]:
        """The same as a condition on a column of site ids."""
        if self.sites is None:
            return true()
        reached = select(Site.id).where(Site.code.in_(sorted(self.sites)))
        column: ColumnElement[Any] = site_id.expression
        return or_(column.is_(None), column.in_(reached))


EVERYWHERE = Reach()


def reach_of(access: Access, kind: str, action: str) -> Reach | None:
    """Where this may be done to whole records; None: nowhere."""
    ways = [way for way in access.ways(kind, action) if not way.scopes and way.mask == OPEN]
    if not ways:
        return None
    sites = [way.site for way in ways if way.site is not None]
    return Reach(frozenset(sites)) if len(sites) == len(ways) else EVERYWHERE
