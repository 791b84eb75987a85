"""What a page or a program may ask by POST: the fields, and the job command they mean."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge.errors import JobRefused
from edge.jobs import commands as c
from edge.jobs.drafts import ArrivalField
from edge.jobs.reasons import ANNOUNCED, TYPED
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
    notice: str | None = Field(default=None, max_length=64)
    blind: bool = False
    supplier: str | None = Field(default=None, max_length=64)
    owner: str | None = Field(default=None, max_length=64)
    what: ArrivalField | None = None
    choice: Literal["take", "check", "leave"] | None = None
    pack: str | None = Field(default=None, max_length=24)
    packs: bool = False
    packaging: str | None = Field(default=None, max_length=64)
    condition: Literal["good", "damaged"] | None = None
    subject: c.Subject = "goods"
    sha256: str | None = Field(default=None, max_length=64)
    check: str | None = Field(default=None, max_length=64)
    decision: Literal["accept", "refuse"] | None = None
    order_line: str | None = Field(default=None, max_length=64)


def _need(value: str | None, name: str) -> str:
    if not value:
        raise JobRefused("missing", field=name)
    return value


def _typed(asked: Asked, *, unit: str | None = None, reason: str | None = None) -> FieldValue:
    value = clean(_need(asked.value or asked.number, "value"))
    return FieldValue(value=value, unit=unit, mode="manual", reason=reason or _need(asked.reason, "reason"))


def beginning(asked: Asked) -> c.Command:
    """What begins a receipt: an announced delivery, goods that nobody ordered, or an order."""
    if asked.notice:
        return c.ChooseNotice(asked.notice)
    return c.BeginBlind() if asked.blind else c.ChooseOrder(asked.order or "")


def _document(asked: Asked) -> c.Command:
    if asked.number or asked.value:
        return c.GiveDocument(_typed(asked, reason=ANNOUNCED if asked.reason == ANNOUNCED else TYPED))
    return c.NoDocument(_need(asked.reason, "reason"))


def _iso(text: str) -> str:
    """An ISO date, or day/month/year as labels print it."""
    day, _, rest = text.partition("/")
    month, _, year = rest.partition("/")
    return f"{year}-{month:0>2}-{day:0>2}" if year else text


def _expiry(asked: Asked) -> c.Command:
    typed = _typed(asked)
    return c.GiveExpiry(typed.model_copy(update={"value": _iso(typed.value)}))


def _number(text: str | None, name: str = "value") -> Decimal:
    given = _need(text, name)
    try:
        return decimal(given)
    except TextFault as exc:
        raise JobRefused("not_an_amount", value=clean(given, 40)) from exc


_ARRIVAL_UNITS: Final[Mapping[str, str]] = {"temperature": "Cel", "weighbridge": "kg"}


def _arrival(asked: Asked) -> c.Command:
    """Without a value it is asked for."""
    if asked.what is not None and not asked.value:
        return c.AskArrival(asked.what)
    typed = _typed(asked, unit=_ARRIVAL_UNITS.get(asked.what or ""))
    if asked.what in {"arrived_at", "shipped_at"}:
        typed = typed.model_copy(update={"value": _iso(typed.value)})
    return c.GiveArrival(typed, asked.what)


def _code(asked: Asked) -> c.Command:
    pack = _number(asked.pack, "pack") if asked.pack else None
    return c.NameProduct(_need(asked.product, "product"), asked.reason, pack)


_PALLET: Final[Mapping[str, Callable[[], c.Command]]] = {
    "take": c.TakePallet,
    "check": c.CheckPallet,
    "leave": c.LeavePallet,
}


def _tare(asked: Asked) -> c.Command:
    """Without packaging and value it is asked for."""
    if asked.packaging:
        return c.GiveTare(packaging=asked.packaging)
    return c.GiveTare(_typed(asked, unit=asked.unit or "kg")) if asked.value else c.AskTare()


def _condition(asked: Asked) -> c.Command:
    return c.SetCondition(asked.condition or "damaged", asked.reason or "", asked.line)


def _remainder(asked: Asked) -> c.Command:
    """Without an order's line the question is asked."""
    return c.SetRemainder(asked.order_line, asked.reason) if asked.order_line else c.AskRemainder()


ACTIONS: Final[Mapping[str, Callable[[Asked], c.Command]]] = {
    "document": _document,
    "item": lambda asked: c.ChooseProduct(_need(asked.product, "product"), _need(asked.reason, "reason")),
    "again": lambda _: c.AddAgain(),
    "drop": lambda _: c.Drop(),
    "lot": lambda asked: c.GiveLot(_typed(asked)),
    "expiry": _expiry,
    "count": lambda asked: c.GiveCount(_number(asked.value), packs=asked.packs),
    "weight": lambda asked: c.GiveWeight(_typed(asked, unit=asked.unit or "kg")),
    "confirm": lambda asked: c.ConfirmLine(asked.reason),
    "discard": lambda asked: c.DiscardLine(_need(asked.reason, "reason"), asked.line),
    "undo": lambda _: c.Undo(),
    "supplier": lambda asked: c.ChooseSupplier(asked.supplier, asked.owner),
    "arrival": _arrival,
    "code": _code,
    "pallet": lambda asked: _PALLET[_need(asked.choice, "choice")](),
    "serial": lambda asked: c.GiveSerial(_typed(asked)),
    "unserial": lambda asked: c.TakeBackSerial(asked.value),
    "serials": lambda _: c.SerialsDone(),
    "tare": _tare,
    "pieces": lambda asked: c.GivePieces(_number(asked.value)),
    "condition": _condition,
    "approval": lambda asked: c.AskApproval(_need(asked.check, "check"), asked.line),
    "remainder": _remainder,
    "finish": lambda _: c.FinishJob(),
    "abandon": lambda asked: c.AbandonJob(_need(asked.reason, "reason")),
}
"""`POST /api/jobs/{id}/<action>`; `take`, `approve` and `photo` need more than the fields (edge.kiosk.receipt_routes)."""
