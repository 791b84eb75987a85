"""What a page or a program may ask by POST: the fields, and the job command they mean."""

from collections.abc import Callable, Mapping
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge.errors import JobRefused
from edge.jobs import commands as c
from edge.jobs.reasons import TYPED
from sync_protocol.errors import TextFault
from sync_protocol.quantity import decimal
from sync_protocol.steps import FieldValue
from sync_protocol.wiretext import clean


class Asked(BaseModel):
    """Every field any action takes; each action reads its own. `cmd` is the caller's id of this one act."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)

    cmd: str | None = Field(default=None, min_length=1, max_length=48)
    csrf: str | None = Field(default=None, max_length=128)
    login: str | None = Field(default=None, max_length=64)
    pin: str | None = Field(default=None, max_length=6)
    locale: Literal["he", "en"] | None = None
    order: str | None = Field(default=None, max_length=64)
    number: str | None = Field(default=None, max_length=64)
    product: str | None = Field(default=None, max_length=64)
    value: str | None = Field(default=None, max_length=64)
    unit: str | None = Field(default=None, max_length=16)
    reason: str | None = Field(default=None, max_length=64)
    line: int | None = Field(default=None, ge=1)


def _need(value: str | None, name: str) -> str:
    if not value:
        raise JobRefused("missing", field=name)
    return value


def _typed(asked: Asked, *, unit: str | None = None, reason: str | None = None) -> FieldValue:
    value = clean(_need(asked.value or asked.number, "value"))
    return FieldValue(value=value, unit=unit, mode="manual", reason=reason or _need(asked.reason, "reason"))


def _document(asked: Asked) -> c.Command:
    if asked.number or asked.value:
        return c.GiveDocument(_typed(asked, reason=TYPED))
    return c.NoDocument(_need(asked.reason, "reason"))


def _expiry(asked: Asked) -> c.Command:
    """An ISO date, or day/month/year as labels print it."""
    typed = _typed(asked)
    day, _, rest = typed.value.partition("/")
    month, _, year = rest.partition("/")
    return c.GiveExpiry(typed.model_copy(update={"value": f"{year}-{month:0>2}-{day:0>2}"}) if year else typed)


def _count(asked: Asked) -> c.Command:
    text = _need(asked.value, "value")
    try:
        return c.GiveCount(decimal(text))
    except TextFault as exc:
        raise JobRefused("not_an_amount", value=clean(text, 40)) from exc


ACTIONS: Final[Mapping[str, Callable[[Asked], c.Command]]] = {
    "document": _document,
    "item": lambda asked: c.ChooseProduct(_need(asked.product, "product"), _need(asked.reason, "reason")),
    "again": lambda _: c.AddAgain(),
    "drop": lambda _: c.Drop(),
    "lot": lambda asked: c.GiveLot(_typed(asked)),
    "expiry": _expiry,
    "count": _count,
    "weight": lambda asked: c.GiveWeight(_typed(asked, unit=asked.unit or "kg")),
    "confirm": lambda asked: c.ConfirmLine(asked.reason),
    "discard": lambda asked: c.DiscardLine(_need(asked.reason, "reason"), asked.line),
    "undo": lambda _: c.Undo(),
    "finish": lambda _: c.FinishJob(),
    "abandon": lambda asked: c.AbandonJob(_need(asked.reason, "reason")),
}
"""`POST /api/jobs/{id}/<action>`; `take` is the desk's own, because it asks the scale."""
