"""What a list shows, as its address says it: so that a list can be kept, sent and gone back to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from cloud.objects.query import Kept
from cloud.web.objects.conditions import MAX_CONDITIONS, Condition
from cloud.web.objects.entry import place

MAX_TEXT = 200
MAX_WHERE = 2000
"""Characters of an expression."""

MAX_COLUMNS = 20
MAX_PLACE = 2000


@dataclass(frozen=True, slots=True)
class ListAddress:
    """Values are as given: whether fields and operators exist is looked at where the list is made. `path` is the page's own
    (`board` or nothing), `view` the uid of the saved view that it began with."""

    kind: str
    q: str = ""
    conditions: tuple[Condition, ...] = ()
    where: str = ""
    sort: str = ""
    columns: tuple[str, ...] = ()
    kept: Kept = "live"
    after: str = ""
    view: str = ""
    path: str = ""

    @classmethod
    def of(cls, kind: str, query: QueryParams, path: str = "") -> Self:
        fields, ops, values = query.getlist("f"), query.getlist("op"), query.getlist("v")
        rows = tuple(
            Condition(field[:60], _at(ops, place)[:20], _at(values, place)[:MAX_TEXT])
            for place, field in enumerate(fields[:MAX_CONDITIONS])
        )
        return cls(
            kind=kind,
            q=query.get("q", "").strip()[:MAX_TEXT],
            conditions=tuple(one for one in rows if one.field),
            where=query.get("where", "").strip()[:MAX_WHERE],
            sort=query.get("sort", "")[:60],
            columns=_columns(query),
            kept="archived" if query.get("kept") == "archived" else "live",
            after=query.get("after", "")[:MAX_PLACE],
            view=query.get("view", "")[:40],
            path=path,
        )

    def url(self, **changes: Any) -> str:
        """The address of this list with changes. A list that is changed begins at its first page."""
        changed = replace(self, **{"after": "", **changes})
        pairs = changed.pairs()
        base = place(self.kind, changed.path) if changed.path else place(self.kind)
        return f"{base}?{urlencode(pairs)}" if pairs else base

    def query_text(self) -> str:
        """What a saved view is made of."""
        return urlencode(self.pairs())

    def pairs(self) -> list[tuple[str, str]]:
        """What differs from the plain list."""
        found = [(name, getattr(self, name)) for name in ("view", "q", "where", "sort")]
        found += [("kept", self.kept)] if self.kept != "live" else []
        found += [("cols", ",".join(self.columns)), ("after", self.after)]
        for one in self.conditions:
            found += [("f", one.field), ("op", one.op), ("v", one.value)]
        return [(name, value) for name, value in found if value or name in {"op", "v"}]

    def said(self) -> dict[str, Any]:
        """What a saved view keeps: all but the page."""
        kept = replace(self, after="", view="", path="")
        return {"query": [list(one) for one in kept.pairs()]}

    @classmethod
    def kept_as(cls, kind: str, said: Mapping[str, Any], view: str) -> Self:
        """The list that a saved view keeps."""
        pairs = [(str(one[0]), str(one[1])) for one in said.get("query", []) if isinstance(one, Sequence) and len(one) == 2]
        return replace(cls.of(kind, QueryParams(pairs)), view=view)

    @property
    def narrowed(self) -> bool:
        return bool(self.q or self.conditions or self.where or self.kept != "live")

    def sorted_by(self, name: str) -> str:
        """The address sorted by a column; by the one it is sorted by, the other way round."""
        return self.url(sort=f"-{name}" if self.sort == name else name)


def _columns(query: QueryParams) -> tuple[str, ...]:
    """Chosen columns in their order. A form sends all its ticked boxes and what was shown before: only a difference counts."""
    columns = query.get("cols", "").split(",")
    ticked, shown = query.getlist("col"), query.get("shown", "").split(",")
    if ticked and set(ticked) != set(shown):
        columns = [*(one for one in shown if one in ticked), *(one for one in ticked if one not in shown)]
    return tuple(dict.fromkeys(one[:60] for one in columns if one))[:MAX_COLUMNS]


def _at(values: Sequence[str], number: int) -> str:
    return values[number] if number < len(values) else ""
