"""The goods receipt as one of the desk's kinds of job: hands everything to its engine."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final, cast

from pydantic import BaseModel, ValidationError

from edge.errors import JobRefused
from edge.jobs import commands as c
from edge.jobs.awaiting import Awaits, Decision, awaits
from edge.jobs.drafts import DRAFT_TEXT, Draft
from edge.jobs.engine import TABLE, decide
from edge.jobs.kinds import Act, Scene
from edge.jobs.moment import Context
from edge.jobs.receive import Moment, ReceiveJob, apply, draft_fits, fold
from edge.mirror.view import MasterView
from sync_protocol.entries import StepEntry
from sync_protocol.steps import RECEIVE, FieldValue, ReceiveStep, name_of

_CHECK_FIELDS: Final = ("code", "limit", "found", "difference", "unit")
_WEIGHED: Final[dict[Awaits, Callable[[FieldValue], c.Command]]] = {Awaits.WEIGHT: c.GiveWeight, Awaits.TARE: c.GiveTare}
"""What the scale's weight is where it is awaited."""


class ReceiveKind:
    """`JobKind` of receipts."""

    code = RECEIVE

    def new(self, job: str) -> ReceiveJob:
        return ReceiveJob(job)

    def takes(self, command: object) -> bool:
        return type(command) in TABLE

    def awaits(self, job: ReceiveJob, masters: MasterView) -> Awaits:
        return awaits(job, masters)

    def weighs(self, job: ReceiveJob, masters: MasterView) -> Callable[[FieldValue], c.Command]:
        awaited = awaits(job, masters)
        if awaited not in _WEIGHED:
            raise JobRefused("not_now", awaited=awaited)
        return _WEIGHED[awaited]

    def decide(self, job: ReceiveJob, command: c.Command, scene: Scene) -> Act:
        decision = decide(job, command, Context(scene.masters, scene.today, scene.now, scene.at))
        by = decision.by or scene.by
        return Act(decision.step, decision.draft, _remarks(decision), by, decision.more)

    def apply(self, job: ReceiveJob, act: Act, at: Moment, command: str | None) -> ReceiveJob:
        kept = act.remarks.get("kept_because")
        return apply(job, cast("ReceiveStep", act.step), at, command=command, kept=kept, by=act.by)

    def fold(self, job: ReceiveJob, entries: Iterable[StepEntry]) -> ReceiveJob:
        return fold(job, entries)

    def name_of(self, step: BaseModel) -> str:
        return name_of(cast("ReceiveStep", step))

    def draft_text(self, draft: Draft) -> str:
        return DRAFT_TEXT.dump_json(draft).decode()

    def read_draft(self, text: str) -> Draft | None:
        try:
            return DRAFT_TEXT.validate_json(text)
        except ValidationError:
            return None

    def with_draft(self, job: ReceiveJob, draft: Draft | None, *, command: str | None, by: str | None) -> ReceiveJob:
        # Kept with the draft, so that the command is known again after a restart, as a step's is from the journal.
        kept = replace(draft, cmd=command, at=job.steps) if draft is not None else None
        commands = job.commands | {command} if command else job.commands
        return replace(job, draft=kept, commands=commands, by=job.by or by)

    def restored(self, job: ReceiveJob, draft: Draft) -> ReceiveJob | None:
        # A draft is older than a step that was written after it: it fits only where it was made.
        return self.with_draft(job, draft, command=draft.cmd, by=None) if draft_fits(job, draft) else None


def _remarks(decision: Decision) -> dict[str, Any]:
    """Which checks a line was kept against, and why."""
    if decision.kept is None:
        return {}
    checks = [
        {name: value for name in _CHECK_FIELDS if (value := getattr(check, name)) is not None} for check in decision.checks
    ]
    return {"kept_because": decision.kept, "checks": checks}
