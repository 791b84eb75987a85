"""The rules of a count: a place, what is found there, how much of each. Blind: what should be there is not told. Pure."""

from collections.abc import Callable
from typing import Any, Final

from edge.errors import JobRefused
from edge.jobs.kinds import Act, Scene
from edge.jobs.movement import commands as m
from edge.jobs.movement.amounts import checked_amount, checked_text
from edge.jobs.movement.count_job import CountDraft, CountJob, CountStage
from edge.jobs.movement.words import FROM_SHEET, CountAwaits, known
from sync_protocol.masters import Product, Sheet
from sync_protocol.movements import CountDone, Counted, CountOpen
from sync_protocol.steps import Abandon, FieldValue

MAX_COUNTED: Final = 2000
"""Lines of one count: a full rack of small parts; more is several places."""


def decide_count(job: CountJob, command: m.CountCommand, scene: Scene) -> Act:
    """What the command becomes. Raises JobRefused: `not_now` when something else is awaited, else the rule that forbids it."""
    allowed, rule = COUNT_TABLE[type(command)]
    new = isinstance(command, m.BeginCount)
    if (new and (job.stage is not CountStage.NEW or job.draft is not None)) or (not new and job.awaits not in allowed):
        raise JobRefused("not_now", awaited=job.awaits)
    return rule(job, command, scene)


def _begin(_job: CountJob, command: m.BeginCount, scene: Scene) -> Act:
    if command.sheet is not None:
        sheet = scene.masters.sheet(command.sheet)
        if sheet is None:
            raise JobRefused("unknown_sheet", sheet=command.sheet[:48])
        return Act(_of_sheet(sheet, scene, FieldValue(value=sheet.location, mode="manual", reason=FROM_SHEET)))
    if command.place is not None:
        return Act(_of_place(scene, command.place))
    return Act(draft=CountDraft(CountAwaits.PLACE))


def _of_place(scene: Scene, place: FieldValue) -> CountOpen:
    """A count of this place: of the sheet that was planned for it, where there is one that this person may count."""
    place = checked_text(place)
    planned = [sheet for sheet in scene.masters.sheets() if sheet.location == place.value]
    mine = next((sheet for sheet in planned if not (sheet.second and sheet.counted_by == scene.by)), None)
    if planned and mine is None:
        raise JobRefused("same_person")
    return _of_sheet(mine, scene, place) if mine is not None else CountOpen(location=place)


def _of_sheet(sheet: Sheet, scene: Scene, place: FieldValue) -> CountOpen:
    if sheet.second and sheet.counted_by == scene.by:
        raise JobRefused("same_person")
    return CountOpen(sheet=sheet.ref, location=place, second=sheet.second)


def _place(_job: CountJob, command: m.GivePlace, scene: Scene) -> Act:
    return Act(_of_place(scene, command.place))


def _goods(job: CountJob, command: m.GiveGoods, scene: Scene) -> Act:
    product = _product(scene, command.product)
    if command.identity.mode == "manual":
        if product.identity_policy == "required":
            raise JobRefused("identity_required")
        known("typed", command.identity.reason)
    if len(job.lines) >= MAX_COUNTED:
        raise JobRefused("too_many_lines", limit=str(MAX_COUNTED))
    needs_lot = product.tracking != "none" and command.lot is None
    asks = CountAwaits.LOT if needs_lot else CountAwaits.MUCH
    return Act(draft=CountDraft(asks, len(job.lines) + 1, product.sku, command.identity, command.lot))


def _lot(job: CountJob, command: m.GiveLot, _scene: Scene) -> Act:
    return Act(draft=_with_lot(_draft(job), checked_text(command.lot).value))


def _no_lot(job: CountJob, _command: m.NoLot, _scene: Scene) -> Act:
    return Act(draft=_with_lot(_draft(job), None))


def _with_lot(draft: CountDraft, lot: str | None) -> CountDraft:
    return CountDraft(CountAwaits.MUCH, draft.n, draft.product, draft.identity, lot, draft.unit)


def _much(job: CountJob, command: m.GiveMuch, scene: Scene) -> Act:
    draft = _draft(job)
    product = _product(scene, draft.product or "")
    if draft.identity is None:  # pragma: no cover - MUCH is awaited only of something
        raise JobRefused("not_now", awaited=draft.asks)
    # Nothing of it is a finding only where a line is entered anew: else there was nothing to scan.
    quantity = checked_amount(command.quantity, product, nothing=draft.n <= len(job.lines))
    return Act(
        Counted(n=draft.n, product=product.sku, lot=draft.lot, unit=draft.unit, identity=draft.identity, quantity=quantity)
    )


def _again(job: CountJob, command: m.CountAgain, _scene: Scene) -> Act:
    line = next((line for line in job.lines if line.n == command.n), None)
    if line is None:
        raise JobRefused("no_such_line")
    return Act(draft=CountDraft(CountAwaits.MUCH, line.n, line.product, line.identity, line.lot, line.unit))


def _back(_job: CountJob, _command: m.Back, _scene: Scene) -> Act:
    return Act()


def _finish(job: CountJob, _command: m.Finish, _scene: Scene) -> Act:
    """A count without a line says that the place is empty."""
    return Act(CountDone(lines=[line.n for line in job.lines]))


def _give_up(job: CountJob, command: m.GiveUp, _scene: Scene) -> Act:
    reason = known("give_up", command.reason)
    return Act(Abandon(reason=reason) if job.stage is CountStage.OPEN else None)


def _draft(job: CountJob) -> CountDraft:
    return job.draft or CountDraft(job.awaits)


def _product(scene: Scene, sku: str) -> Product:
    product = scene.masters.product(sku)
    if product is None:
        raise JobRefused("unknown_product", product=sku[:48])
    return product


_A = CountAwaits
COUNT_TABLE: Final[dict[type, tuple[frozenset[CountAwaits], Callable[[CountJob, Any, Scene], Act]]]] = {
    m.BeginCount: (frozenset(), _begin),
    m.GivePlace: (frozenset({_A.PLACE}), _place),
    m.GiveGoods: (frozenset({_A.GOODS}), _goods),
    m.GiveLot: (frozenset({_A.LOT}), _lot),
    m.NoLot: (frozenset({_A.LOT}), _no_lot),
    m.GiveMuch: (frozenset({_A.MUCH}), _much),
    m.CountAgain: (frozenset({_A.GOODS}), _again),
    m.Back: (frozenset({_A.PLACE, _A.LOT, _A.MUCH}), _back),
    m.Finish: (frozenset({_A.GOODS}), _finish),
    m.GiveUp: (frozenset({_A.PLACE, _A.GOODS, _A.LOT, _A.MUCH}), _give_up),
}
"""Per command, while what it is taken. A count begins with BeginCount alone."""
