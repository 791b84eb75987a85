"""The rules of a move and of a put-away: source, goods, how much, target. Pure.

What the box does not know is asked for and kept with a reason; only what a place's own rules forbid is refused.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from edge.errors import JobRefused
from edge.jobs.kinds import Act, Scene
from edge.jobs.movement import commands as m
from edge.jobs.movement import places
from edge.jobs.movement.amounts import checked_amount, checked_text
from edge.jobs.movement.move_job import MoveDraft, MoveJob, MoveStage
from edge.jobs.movement.words import ALL_THERE, FROM_STOCK, TOUCHED, MoveAwaits, known
from edge.jobs.overlay import Lying, own_amount
from sync_protocol.masters import Product
from sync_protocol.movements import PUT_AWAY, Done, Moved, MoveOpen
from sync_protocol.quantity import decimal, plain
from sync_protocol.steps import FieldValue

MAX_ACTS: Final = 500
"""Acts of one job: a lorry's pallets many times over; more is several jobs."""


def decide_move(job: MoveJob, command: m.MoveCommand, scene: Scene) -> Act:
    """What the command becomes. Raises JobRefused: `not_now` when something else is awaited, else the rule that forbids it."""
    allowed, rule = MOVE_TABLE[type(command)]
    begun = isinstance(command, m.BeginMove)
    if begun != (job.stage is MoveStage.NEW) or (not begun and job.awaits not in allowed):
        raise JobRefused("not_now", awaited=job.awaits)
    return rule(job, command, scene)


def candidates(job: MoveJob, draft: MoveDraft, scene: Scene) -> list[Lying]:
    """The rows of stock that the goods in hand may be: at the source, or, put away, whatever waits to be."""
    if draft.source is not None:
        rows = scene.stock.at(draft.source.value)
    else:
        rows = scene.stock.waiting(job.opened.receipt if job.opened else None) if job.kind == PUT_AWAY else []
    return [row for row in rows if draft.product in {None, row.product} and draft.lot in {None, row.lot}]


def _draft(job: MoveJob) -> MoveDraft:
    return job.draft or MoveDraft(job.awaits)


def _begin(_job: MoveJob, command: m.BeginMove, scene: Scene) -> Act:
    opened = MoveOpen(receipt=command.receipt)
    if command.unit is not None:
        return Act(opened, _unit(MoveDraft(MoveAwaits.SOURCE), command.unit, scene))
    if command.place is not None:
        return Act(opened, MoveDraft(MoveAwaits.GOODS, source=checked_text(command.place)))
    return Act(opened)


def _place(job: MoveJob, command: m.GivePlace, scene: Scene) -> Act:
    draft, place = _draft(job), checked_text(command.place)
    if draft.asks is MoveAwaits.TARGET:
        return _to(job, replace(draft, target=place), scene)
    if not places.is_ours(scene.masters, place.value):
        raise JobRefused("place_not_internal", place=place.value)
    draft = replace(draft, source=place)
    if draft.whole_unit:
        return Act(draft=replace(draft, asks=MoveAwaits.TARGET))
    if draft.product is None:
        return Act(draft=replace(draft, asks=MoveAwaits.GOODS))
    return Act(draft=_found(job, draft, scene))


def _goods(job: MoveJob, command: m.GiveGoods, scene: Scene) -> Act:
    product = _product(scene, command.product)
    if command.identity.mode == "manual":
        if product.identity_policy == "required":
            raise JobRefused("identity_required")
        known("typed", command.identity.reason)
    if len(job.acts) >= MAX_ACTS:
        raise JobRefused("too_many_lines", limit=str(MAX_ACTS))
    draft = replace(_draft(job), product=product.sku, identity=command.identity, lot=command.lot)
    return Act(draft=_found(job, draft, scene))


def _found(job: MoveJob, draft: MoveDraft, scene: Scene) -> MoveDraft:
    """The goods are known: which row of stock they are, and what is asked for next."""
    rows = candidates(job, draft, scene)
    if len(rows) == 1:
        return _of_row(draft, rows[0])
    if rows:
        return replace(draft, asks=MoveAwaits.WHICH)
    if draft.source is None:
        return replace(draft, asks=MoveAwaits.SOURCE)
    product = scene.masters.product(draft.product or "")
    needs_lot = product is not None and product.tracking != "none" and draft.lot is None
    return replace(draft, asks=MoveAwaits.LOT if needs_lot else MoveAwaits.MUCH, there=None)


def _of_row(draft: MoveDraft, row: Lying) -> MoveDraft:
    return replace(
        draft,
        asks=MoveAwaits.MUCH,
        source=draft.source or _from_stock(row.location),
        lot=row.lot,
        unit=_from_stock(row.sscc) if row.sscc else None,
        owner=row.owner or None,
        receipt=row.receipt,
        receipt_line=row.receipt_line,
        there=plain(row.quantity),
    )


def _from_stock(value: str) -> FieldValue:
    return FieldValue(value=value, mode="manual", reason=FROM_STOCK)


def _give_unit(job: MoveJob, command: m.GiveUnit, scene: Scene) -> Act:
    if len(job.acts) >= MAX_ACTS:
        raise JobRefused("too_many_lines", limit=str(MAX_ACTS))
    return Act(draft=_unit(_draft(job), command.unit, scene))


def _unit(draft: MoveDraft, unit: FieldValue, scene: Scene) -> MoveDraft:
    rows = scene.stock.unit(checked_text(unit).value)
    source = draft.source or (_from_stock(rows[0].location) if rows else None)
    clean = MoveDraft(MoveAwaits.TARGET if source else MoveAwaits.SOURCE, source=source, unit=unit)
    waiting = {(row.receipt, row.receipt_line) for row in rows if row.receipt is not None}
    owners = {row.owner for row in rows}
    receipt, line = waiting.pop() if len(waiting) == 1 else (None, None)
    return replace(clean, owner=owners.pop() or None if len(owners) == 1 else None, receipt=receipt, receipt_line=line)


def _row(job: MoveJob, command: m.ChooseRow, scene: Scene) -> Act:
    draft = _draft(job)
    row = next((row for row in candidates(job, draft, scene) if row.key == command.key), None)
    if row is None:
        raise JobRefused("no_such_line")
    if draft.product is None:
        product = _product(scene, row.product)
        if product.identity_policy == "required":
            raise JobRefused("identity_required")
        draft = replace(draft, product=product.sku, identity=FieldValue(value=product.sku, mode="manual", reason=TOUCHED))
    return Act(draft=_of_row(draft, row))


def _lot(job: MoveJob, command: m.GiveLot, scene: Scene) -> Act:
    draft = replace(_draft(job), lot=checked_text(command.lot).value)
    if draft.asks is MoveAwaits.LOT:
        return Act(draft=replace(draft, asks=MoveAwaits.MUCH))
    return Act(draft=_found(job, draft, scene))


def _no_lot(job: MoveJob, _command: m.NoLot, _scene: Scene) -> Act:
    return Act(draft=replace(_draft(job), asks=MoveAwaits.MUCH))


def _much(job: MoveJob, command: m.GiveMuch, scene: Scene) -> Act:
    draft = _draft(job)
    quantity = checked_amount(command.quantity, _product(scene, draft.product or ""))
    return Act(draft=replace(draft, quantity=quantity, asks=MoveAwaits.TARGET))


def _all(job: MoveJob, _command: m.TakeAll, scene: Scene) -> Act:
    draft = _draft(job)
    if draft.there is None:
        raise JobRefused("amount_not_known")
    product = _product(scene, draft.product or "")
    value = FieldValue(value=draft.there, unit=product.unit, mode="manual", reason=ALL_THERE)
    return Act(draft=replace(draft, quantity=checked_amount(value, product), asks=MoveAwaits.TARGET))


def _to(job: MoveJob, draft: MoveDraft, scene: Scene) -> Act:
    """The target is known: refused by the place's rules, kept with a reason, or a step."""
    if draft.source is None or draft.target is None:  # pragma: no cover - TARGET is awaited only with a source
        raise JobRefused("not_now", awaited=draft.asks)
    if draft.source.value == draft.target.value:
        raise JobRefused("same_place", place=draft.target.value)
    for product, owner in _moved_goods(draft, scene):
        if (why := places.why_not(scene.masters, draft.target.value, product, owner)) is not None:
            raise JobRefused(why, place=draft.target.value)
    if doubts := tuple(_doubts(draft, scene)):
        return Act(draft=replace(draft, asks=MoveAwaits.WHY, doubts=doubts))
    return Act(_moved(job, draft))


def _moved_goods(draft: MoveDraft, scene: Scene) -> list[tuple[Product | None, str | None]]:
    if draft.product is not None:
        return [(scene.masters.product(draft.product), draft.owner)]
    rows = scene.stock.unit(draft.unit.value) if draft.unit else []
    return [(scene.masters.product(row.product), row.owner) for row in rows] or [(None, draft.owner)]


def _doubts(draft: MoveDraft, scene: Scene) -> list[str]:
    """Where the act contradicts what the box knows: the core looks at it, nothing is stopped."""
    found = []
    for place, code in ((draft.source, "source_unknown"), (draft.target, "target_unknown")):
        if place is not None and scene.masters.location(place.value) is None:
            found.append(code)
    if draft.product is None:
        rows = scene.stock.unit(draft.unit.value) if draft.unit else []
        if not rows:
            found.append("unit_unknown")
        elif draft.source is not None and any(row.location != draft.source.value for row in rows):
            found.append("unit_elsewhere")
    else:
        found += _goods_doubts(draft, scene)
    if places.kept_apart(scene.masters, draft.source, draft.target) and not _decides(scene):
        found.append("goods_held")
    return found


def _goods_doubts(draft: MoveDraft, scene: Scene) -> list[str]:
    product = scene.masters.product(draft.product or "")
    found = [] if _enough(draft, scene) else ["not_there"]
    if product is not None and product.tracking != "none" and draft.lot is None:
        found.append("lot_missing")
    if (
        product is not None
        and product.tracking == "serial"
        and draft.quantity is not None
        and decimal(draft.quantity.value) != 1
    ):
        found.append("serial_is_one")
    return found


def _decides(scene: Scene) -> bool:
    """Whether the operator is one who may say that goods need no longer be kept apart."""
    person = scene.masters.person(scene.by)
    return person is not None and person.role == "supervisor"


def _enough(draft: MoveDraft, scene: Scene) -> bool:
    if draft.source is None or draft.product is None or draft.quantity is None:
        return False
    unit = draft.unit.value if draft.unit else None
    there = [
        row.quantity
        for row in scene.stock.of(draft.source.value, draft.product)
        if row.lot == draft.lot and row.sscc == unit and (draft.owner is None or row.owner == draft.owner)
    ]
    amount = own_amount(draft.quantity, scene.masters, draft.product)
    return amount is not None and amount <= sum(there, decimal("0"))


def _why(job: MoveJob, command: m.GiveWhy, _scene: Scene) -> Act:
    draft = _draft(job)
    return Act(_moved(job, draft, known("move_why", command.reason)), remarks={"doubts": list(draft.doubts)})


def _moved(job: MoveJob, draft: MoveDraft, reason: str | None = None) -> Moved:
    if draft.source is None or draft.target is None:  # pragma: no cover - the callers looked
        raise JobRefused("not_now", awaited=draft.asks)
    return Moved(
        n=len(job.acts) + 1,
        product=draft.product,
        lot=draft.lot,
        unit=draft.unit,
        owner=draft.owner,
        quantity=draft.quantity,
        identity=draft.identity,
        source=draft.source,
        target=draft.target,
        receipt=draft.receipt,
        receipt_line=draft.receipt_line,
        reason=reason,
    )


def _back(job: MoveJob, _command: m.Back, _scene: Scene) -> Act:
    """From any input behind the source back to the goods; from there back to the beginning."""
    draft = _draft(job)
    scanned = draft.source if draft.source is not None and draft.source.reason != FROM_STOCK else None
    if scanned is not None and draft.asks is not MoveAwaits.GOODS and job.kind != PUT_AWAY:
        return Act(draft=MoveDraft(MoveAwaits.GOODS, source=scanned))
    return Act()


def _finish(_job: MoveJob, _command: m.Finish, _scene: Scene) -> Act:
    return Act(Done())


def _product(scene: Scene, sku: str) -> Product:
    product = scene.masters.product(sku)
    if product is None:
        raise JobRefused("unknown_product", product=sku[:48])
    return product


_A = MoveAwaits
_HALF: Final = frozenset({_A.SOURCE, _A.GOODS, _A.WHICH, _A.LOT, _A.MUCH, _A.TARGET, _A.WHY})
MOVE_TABLE: Final[dict[type, tuple[frozenset[MoveAwaits], Callable[[MoveJob, Any, Scene], Act]]]] = {
    m.BeginMove: (frozenset(), _begin),
    m.GivePlace: (frozenset({_A.SOURCE, _A.GOODS, _A.TARGET}), _place),
    m.GiveGoods: (frozenset({_A.GOODS}), _goods),
    m.GiveUnit: (frozenset({_A.SOURCE, _A.GOODS}), _give_unit),
    m.ChooseRow: (frozenset({_A.GOODS, _A.WHICH}), _row),
    m.GiveLot: (frozenset({_A.WHICH, _A.LOT}), _lot),
    m.NoLot: (frozenset({_A.LOT}), _no_lot),
    m.GiveMuch: (frozenset({_A.MUCH}), _much),
    m.TakeAll: (frozenset({_A.MUCH}), _all),
    m.GiveWhy: (frozenset({_A.WHY}), _why),
    m.Back: (_HALF, _back),
    m.Finish: (frozenset({_A.SOURCE, _A.GOODS}), _finish),
}
"""Per command, while what it is taken. A job begins with BeginMove alone."""
