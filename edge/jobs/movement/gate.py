"""The rules of the gate: which container, in or out, what is seen of it, and whether a hold keeps it in. Pure."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from edge.errors import JobRefused
from edge.jobs.kinds import Act, Scene
from edge.jobs.movement import commands as m
from edge.jobs.movement.amounts import MAX_AMOUNT, MAX_TYPED, dimension
from edge.jobs.movement.gate_job import GateDraft, GateJob
from edge.jobs.movement.words import GateAwaits, known
from sync_protocol.errors import TextFault
from sync_protocol.identifiers import container_fault, normal_container
from sync_protocol.movements import Passed
from sync_protocol.quantity import Quantity, decimal
from sync_protocol.steps import FieldValue

MAX_PICTURES: Final = 20
"""Pictures of one passage: four sides, roof, doors, seals and what is damaged."""

INSIDE: Final = frozenset({"gate_in", "stored", "stripped", "stuffed", "ready"})
"""States of a container that stands here: the next time it is at the gate it goes out."""


def decide_gate(job: GateJob, command: m.GateCommand, scene: Scene) -> Act:
    """What the command becomes. Raises JobRefused: `not_now` when something else is awaited, else the rule that forbids it."""
    allowed, rule = GATE_TABLE[type(command)]
    new = isinstance(command, m.BeginGate)
    if (new and (job.closed or job.draft is not None)) or (not new and job.awaits not in allowed):
        raise JobRefused("not_now", awaited=job.awaits)
    return rule(job, command, scene)


def suggested_direction(scene: Scene, number: str) -> m.Direction:
    """Out for a container that stands here, in for any other."""
    known_one = scene.masters.container(number)
    return "out" if known_one is not None and known_one.status in INSIDE else "in"


def holds(job: GateJob, scene: Scene) -> list[str]:
    """What keeps the container here; only looked at on its way out."""
    draft = job.draft
    if draft is None or draft.container is None or draft.direction != "out":
        return []
    known_one = scene.masters.container(draft.container.value)
    return known_one.holds if known_one is not None else []


def _begin(_job: GateJob, command: m.BeginGate, scene: Scene) -> Act:
    draft = GateDraft(GateAwaits.CONTAINER, direction=command.direction)
    return Act(draft=_with_container(draft, command.container, scene) if command.container is not None else draft)


def _container(job: GateJob, command: m.GivePlace, scene: Scene) -> Act:
    return Act(draft=_with_container(_draft(job), command.place, scene))


def _with_container(draft: GateDraft, container: FieldValue, scene: Scene) -> GateDraft:
    number = normal_container(container.value)
    fault = container_fault(number)
    if fault is not None and (container.mode == "device" or container.reason != "no_check_digit"):
        raise JobRefused(f"container_{fault}", container=container.value[:MAX_TYPED])
    if container.mode == "manual" and fault is None:
        known("typed", container.reason)
    return replace(
        draft,
        asks=GateAwaits.DETAILS,
        container=container.model_copy(update={"value": number}),
        direction=draft.direction or suggested_direction(scene, number),
    )


def seal_differs(job: GateJob, scene: Scene) -> bool:
    """Whether another seal is on the container than is known, and no picture shows it: the core will ask for one."""
    draft = job.draft
    if draft is None or draft.container is None or draft.seal is None or draft.photos:
        return False
    known_one = scene.masters.container(draft.container.value)
    return known_one is not None and bool(known_one.seals) and draft.seal.value not in known_one.seals


def _seal(job: GateJob, command: m.GiveSeal, _scene: Scene) -> Act:
    if not command.seal.value.strip() or len(command.seal.value) > MAX_TYPED:
        raise JobRefused("bad_text", limit=str(MAX_TYPED))
    return Act(draft=replace(_draft(job), seal=command.seal))


def _weight(job: GateJob, command: m.GiveMuch, _scene: Scene) -> Act:
    value = command.quantity
    try:
        amount = Quantity(decimal(value.value), value.unit or "kg")
    except TextFault as exc:
        raise JobRefused("not_an_amount", value=value.value[:MAX_TYPED]) from exc
    if dimension(amount.unit) != "mass":
        raise JobRefused("wrong_unit", unit=amount.unit, expected="kg")
    if amount.value <= 0:
        raise JobRefused("not_positive")
    if amount.value > MAX_AMOUNT:
        raise JobRefused("too_much")
    if value.mode == "manual":
        known("gate_weight", value.reason)
    return Act(draft=replace(_draft(job), weight=value.model_copy(update={"unit": amount.unit})))


def _details(job: GateJob, command: m.GiveDetails, _scene: Scene) -> Act:
    draft = _draft(job)
    vehicle = draft.vehicle
    if command.vehicle is not None:
        vehicle = FieldValue(value=_text(command.vehicle), mode="manual", reason="typed")
    return Act(
        draft=replace(
            draft,
            vehicle=vehicle,
            driver=_text(command.driver) if command.driver is not None else draft.driver,
            laden=command.laden if command.laden is not None else draft.laden,
            damaged=command.damaged if command.damaged is not None else draft.damaged,
            note=_text(command.note) if command.note is not None else draft.note,
            direction=command.direction or draft.direction,
        )
    )


def _text(text: str) -> str:
    if not text.strip() or len(text) > MAX_TYPED:
        raise JobRefused("bad_text", limit=str(MAX_TYPED))
    return text


def _picture(job: GateJob, command: m.AddPicture, _scene: Scene) -> Act:
    draft = _draft(job)
    if len(draft.photos) >= MAX_PICTURES:
        raise JobRefused("too_many_photos", limit=str(MAX_PICTURES))
    photos = draft.photos if command.sha256 in draft.photos else (*draft.photos, command.sha256)
    return Act(draft=replace(draft, photos=photos))


def _pass(job: GateJob, command: m.Pass, scene: Scene) -> Act:
    draft = _draft(job)
    held = holds(job, scene)
    if held and command.supervisor is None:
        return Act(draft=replace(draft, asks=GateAwaits.HOLDS))
    if draft.container is None or draft.direction is None:  # pragma: no cover - DETAILS is awaited only with both
        raise JobRefused("not_now", awaited=draft.asks)
    passed = Passed(
        direction=draft.direction,
        container=draft.container,
        seal=draft.seal,
        weight=draft.weight,
        laden=draft.laden,
        vehicle=draft.vehicle,
        driver=draft.driver,
        condition="damaged" if draft.damaged else "good",
        note="; ".join(text for text in (draft.note, known("release", command.reason) if held else None) if text) or None,
        photos=list(draft.photos),
    )
    if not held:
        return Act(passed)
    # The step is the supervisor's, who answers for it; who stood at the gate is told beside it.
    return Act(passed, remarks={"holds": held, "asked_by": scene.by}, by=command.supervisor)


def _back(job: GateJob, _command: m.Back, _scene: Scene) -> Act:
    draft = _draft(job)
    if draft.asks is GateAwaits.HOLDS:
        return Act(draft=replace(draft, asks=GateAwaits.DETAILS))
    return Act()


def _give_up(_job: GateJob, _command: m.GiveUp, _scene: Scene) -> Act:
    return Act()


def _draft(job: GateJob) -> GateDraft:
    return job.draft or GateDraft(job.awaits)


_A = GateAwaits
_OPEN: Final = frozenset({_A.CONTAINER, _A.DETAILS, _A.HOLDS})
GATE_TABLE: Final[dict[type, tuple[frozenset[GateAwaits], Callable[[GateJob, Any, Scene], Act]]]] = {
    m.BeginGate: (frozenset(), _begin),
    m.GivePlace: (frozenset({_A.CONTAINER}), _container),
    m.GiveSeal: (frozenset({_A.DETAILS}), _seal),
    m.GiveMuch: (frozenset({_A.DETAILS}), _weight),
    m.GiveDetails: (frozenset({_A.DETAILS}), _details),
    m.AddPicture: (frozenset({_A.DETAILS}), _picture),
    m.Pass: (frozenset({_A.DETAILS, _A.HOLDS}), _pass),
    m.Back: (_OPEN, _back),
    m.GiveUp: (_OPEN, _give_up),
}
"""Per command, while what it is taken. A passage begins with BeginGate alone; until it is done nothing of it is a step."""
