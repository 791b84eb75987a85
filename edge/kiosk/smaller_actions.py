"""What a page or a program may ask of a smaller job by POST: the fields, and the job command they mean."""

from collections.abc import Callable, Mapping
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge.errors import JobRefused
from edge.jobs.movement import commands as m
from edge.jobs.movement.words import COUNTED, TOUCHED
from edge.mirror.view import MasterView
from sync_protocol.movements import COUNT, GATE, MOVE, PUT_AWAY
from sync_protocol.steps import FieldValue
from sync_protocol.wiretext import clean


class SmallerAsked(BaseModel):
    """Every field of the smaller jobs' actions; each action reads its own."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)

    kind: Literal["put_away", "move", "count", "gate"] | None = None
    value: str | None = Field(default=None, max_length=64)
    unit: str | None = Field(default=None, max_length=16)
    reason: str | None = Field(default=None, max_length=64)
    key: str | None = Field(default=None, max_length=256)
    n: int | None = Field(default=None, ge=1)
    unsure: bool = False
    """A container's number that is wanted although its check digit does not fit, or is not painted on."""
    receipt: str | None = Field(default=None, max_length=64)
    sheet: str | None = Field(default=None, max_length=64)
    direction: Literal["in", "out"] | None = None
    vehicle: str | None = Field(default=None, max_length=48)
    driver: str | None = Field(default=None, max_length=48)
    note: str | None = Field(default=None, max_length=48)
    laden: bool | None = None
    damaged: bool | None = None
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    login: str | None = Field(default=None, max_length=64)
    pin: str | None = Field(default=None, max_length=6)


def beginning_of(asked: SmallerAsked) -> tuple[str, object]:
    """The kind of job that is begun, and its first command. Raises JobRefused(`missing`)."""
    match asked.kind:
        case "put_away" | "move":
            return (PUT_AWAY if asked.kind == "put_away" else MOVE), m.BeginMove(receipt=asked.receipt)
        case "count":
            place = _touched(asked.value) if asked.value else None
            return COUNT, m.BeginCount(sheet=asked.sheet, place=place)
        case "gate":
            return GATE, m.BeginGate(asked.direction)
    raise JobRefused("missing", field="kind")


def command_of(action: str, asked: SmallerAsked, masters: MasterView) -> object:
    """The command of an action. Raises JobRefused: `no_such_action`, `missing`, `unknown_product`."""
    if action == "goods":
        return _goods(asked, masters)
    if action not in SMALLER_ACTIONS:
        raise JobRefused("no_such_action", action=clean(action, 40))
    return SMALLER_ACTIONS[action](asked)


def _need(value: str | None, name: str) -> str:
    if not value:
        raise JobRefused("missing", field=name)
    return value


def _typed(asked: SmallerAsked, *, unit: str | None = None, reason: str | None = None) -> FieldValue:
    value = clean(_need(asked.value, "value"))
    return FieldValue(value=value, unit=unit, mode="manual", reason=reason or _need(asked.reason, "reason"))


def _touched(value: str) -> FieldValue:
    return FieldValue(value=clean(value), mode="manual", reason=TOUCHED)


def _goods(asked: SmallerAsked, masters: MasterView) -> m.GiveGoods:
    """A typed code: a product's number, or one of the codes that name it."""
    typed = _typed(asked)
    found = masters.product(typed.value) or next(
        (product for scheme in ("gtin", "own", "supplier") if (product := masters.product_of_code(scheme, typed.value))), None
    )
    if found is None:
        raise JobRefused("unknown_product", product=typed.value[:48])
    return m.GiveGoods(found.sku, typed)


def _much(asked: SmallerAsked) -> m.GiveMuch:
    if asked.unit is None:
        return m.GiveMuch(_typed(asked, reason=COUNTED))
    return m.GiveMuch(_typed(asked, unit=asked.unit))


def _line(asked: SmallerAsked) -> m.CountAgain:
    if asked.n is None:
        raise JobRefused("missing", field="n")
    return m.CountAgain(asked.n)


def _details(asked: SmallerAsked) -> m.GiveDetails:
    return m.GiveDetails(
        clean(asked.vehicle) if asked.vehicle else None,
        clean(asked.driver) if asked.driver else None,
        asked.laden,
        asked.damaged,
        clean(asked.note) if asked.note else None,
        asked.direction,
    )


SMALLER_ACTIONS: Final[Mapping[str, Callable[[SmallerAsked], object]]] = {
    "place": lambda asked: m.GivePlace(_typed(asked, reason="no_check_digit" if asked.unsure else None)),
    "suggested": lambda asked: m.GivePlace(_touched(_need(asked.value, "value"))),
    "unit": lambda asked: m.GiveUnit(_typed(asked)),
    "row": lambda asked: m.ChooseRow(_need(asked.key, "key")),
    "lot": lambda asked: m.GiveLot(_typed(asked)),
    "no_lot": lambda _: m.NoLot(),
    "much": _much,
    "all": lambda _: m.TakeAll(),
    "why": lambda asked: m.GiveWhy(_need(asked.reason, "reason")),
    "back": lambda _: m.Back(),
    "line": _line,
    "seal": lambda asked: m.GiveSeal(_typed(asked, reason="typed")),
    "details": _details,
    "pass": lambda _: m.Pass(),
    "finish": lambda _: m.Finish(),
    "give_up": lambda asked: m.GiveUp(asked.reason or "started_by_mistake"),
}
"""`POST /api/jobs/{id}/<action>` of a smaller job.

Besides: `take` is the desk's own, `photo` keeps a picture, `release` proves a supervisor.
"""
