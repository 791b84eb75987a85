"""How much a line holds: serial numbers, counts, weights with and without packaging. Rules of `edge.jobs.engine`; pure."""

from dataclasses import replace
from decimal import Decimal
from typing import Final

from edge.errors import JobRefused
from edge.jobs import commands as c
from edge.jobs.awaiting import Decision, is_weighed
from edge.jobs.drafts import AmountDraft
from edge.jobs.inputs import MAX_AMOUNT, amount_of, check_amount, check_reason, check_text, current_product
from edge.jobs.moment import Context
from edge.jobs.reasons import COUNTED, PACKAGING, Occasion, known
from edge.jobs.receive import ReceiveJob
from sync_protocol.errors import TextFault
from sync_protocol.masters import Packaging, Product
from sync_protocol.quantity import UNITS, Quantity, decimal, plain
from sync_protocol.steps import Amount, FieldValue, Serial

GROSS_LESS_TARE: Final = "gross - tare"
SERIALS: Final = "serials"
MAX_SERIALS: Final = 1000
"""Of one line: each is a scan by hand; more is several lines."""


def give_serial(job: ReceiveJob, command: c.GiveSerial, _context: Context) -> Decision:
    line = job.lines[-1]
    check_text(command.serial.value)
    check_reason(command.serial, Occasion.TYPED)
    same = (one for one in job.lines if one.live and one.item.product == line.item.product)
    if any(serial.value == command.serial.value for one in same for serial in one.serials):
        raise JobRefused("serial_twice", serial=command.serial.value)
    if len(line.serials) >= MAX_SERIALS:
        raise JobRefused("too_many_serials", limit=str(MAX_SERIALS))
    return Decision(Serial(line=line.number, serial=command.serial))


def take_back_serial(job: ReceiveJob, command: c.TakeBackSerial, _context: Context) -> Decision:
    line = job.lines[-1]
    given = (one for one in reversed(line.serials) if command.serial in {None, one.value})
    serial = next(given, None)
    if serial is None:
        raise JobRefused("no_such_serial")
    return Decision(Serial(line=line.number, serial=serial, gone=True))


def serials_done(job: ReceiveJob, _command: c.SerialsDone, context: Context) -> Decision:
    line, product = job.lines[-1], current_product(job, context)
    if not line.serials:
        raise JobRefused("no_serials")
    quantity = FieldValue(value=str(len(line.serials)), unit=product.unit, mode="derived", formula=SERIALS)
    return Decision(Amount(line=line.number, quantity=quantity))


def _parts(job: ReceiveJob) -> AmountDraft:
    return job.draft if isinstance(job.draft, AmountDraft) else AmountDraft()


def ask_tare(job: ReceiveJob, _command: c.AskTare, _context: Context) -> Decision:
    return Decision(draft=replace(_parts(job), asks_tare=True))


def give_tare(job: ReceiveJob, command: c.GiveTare, context: Context) -> Decision:
    tare = command.tare
    if command.packaging is not None:
        tare = _known_tare(command.packaging, context)
    elif tare is not None:
        check_reason(tare, Occasion.WEIGHT_TYPED)
    if tare is None:
        raise JobRefused("missing", field="tare")
    amount = amount_of(tare)
    if amount.dimension != "mass":
        raise JobRefused("wrong_unit", unit=amount.unit, expected="kg")
    if amount.value < 0:
        raise JobRefused("not_positive")
    return Decision(draft=replace(_parts(job), asks_tare=False, tare=tare, packaging=command.packaging))


def _known_tare(code: str, context: Context) -> FieldValue:
    found = next((row for key, row in context.masters.table(Packaging) if key == code), None)
    if found is None:
        raise JobRefused("unknown_packaging", packaging=code[:48])
    return FieldValue(value=found.tare, unit="kg", mode="manual", reason=PACKAGING)


def give_pieces(job: ReceiveJob, command: c.GivePieces, context: Context) -> Decision:
    if not is_weighed(current_product(job, context)):
        raise JobRefused("not_weighed")
    if command.value != command.value.to_integral_value():
        raise JobRefused("whole_number")
    pieces = FieldValue(value=_digits(command.value), unit="{pcs}", mode="manual", reason=COUNTED)
    check_amount(amount_of(pieces), "{pcs}")
    return Decision(draft=replace(_parts(job), pieces=pieces))


def give_weight(job: ReceiveJob, command: c.GiveWeight, context: Context) -> Decision:
    field, product, parts = command.quantity, current_product(job, context), _parts(job)
    if field.mode == "manual":
        if product.weight_policy == "required":
            raise JobRefused("weight_required")
        known(Occasion.WEIGHT_TYPED, field.reason or "")
    check_amount(amount_of(field), "kg" if parts.counted is not None else product.unit)
    number = len(job.lines)
    if parts.counted is not None:
        return Decision(Amount(line=number, quantity=parts.counted, pieces=field))
    if parts.tare is None:
        return Decision(Amount(line=number, quantity=field, pieces=parts.pieces))
    return Decision(
        Amount(
            line=number,
            quantity=_net(field, parts.tare, product),
            gross=field,
            tare=parts.tare,
            packaging=parts.packaging,
            pieces=parts.pieces,
        )
    )


def _net(gross: FieldValue, tare: FieldValue, product: Product) -> FieldValue:
    """Gross less tare, exact: in the gross's unit, else in kilograms, in which every mass has a finite form."""
    full, empty = amount_of(gross), amount_of(tare)
    try:
        net = Quantity(full.value - empty.to(full.unit).value, full.unit)
    except TextFault:
        net = Quantity(full.to("kg").value - empty.to("kg").value, "kg")
    if net.value <= 0:
        raise JobRefused("net_negative")
    check_amount(net, product.unit)
    return FieldValue(value=plain(net.value), unit=net.unit, mode="derived", formula=GROSS_LESS_TARE)


def give_count(job: ReceiveJob, command: c.GiveCount, context: Context) -> Decision:
    product, value = current_product(job, context), command.value
    if command.packs:
        value *= decimal(job.lines[-1].item.pack or "1")
    if UNITS.get(product.unit, ("", None))[0] == "count" and value != value.to_integral_value():
        raise JobRefused("whole_number")
    quantity = FieldValue(value=_digits(value), unit=product.unit, mode="manual", reason=COUNTED)
    check_amount(amount_of(quantity), product.unit)
    if product.weight_policy == "required":
        return Decision(draft=replace(_parts(job), counted=quantity))
    return Decision(Amount(line=len(job.lines), quantity=quantity))


def _digits(value: Decimal) -> str:
    # Beyond the cap the digits would be refused as text; the amount's own rule says it in better words.
    return plain(value) if abs(value) <= MAX_AMOUNT else plain(MAX_AMOUNT + 1)
