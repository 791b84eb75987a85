"""Numbers of the box's own papers: `<prefix>-<count>`. A count that a step in the journal carries is never given again."""

from typing import Final

from pydantic import BaseModel

from edge.jobs.ports import NumberStore
from sync_protocol.entries import StepEntry

DIGITS: Final = 4
"""The count is filled up to so many digits, so that a year's papers of a busy box sort as text."""


class Numbers:
    """Which numbers were given. The journal's steps decide; the store remembers what the journal has let go of."""

    def __init__(self, store: NumberStore) -> None:
        self._store = store
        self._last: dict[str, int] = {}

    async def load(self) -> None:
        """Begin from what the store remembers."""
        self._last = dict(await self._store.load_numbers())

    def next(self, prefix: str | None) -> str | None:
        """The number of the next paper; None without a prefix."""
        return f"{prefix}-{self._last.get(prefix, 0) + 1:0{DIGITS}d}" if prefix else None

    def given(self, step: BaseModel, prefix: str | None) -> BaseModel:
        """The step with the next number, where it is one that has a number and was given none."""
        if "number" not in type(step).model_fields or getattr(step, "number", None) is not None:
            return step
        return step.model_copy(update={"number": self.next(prefix)})

    def seen(self, entry: StepEntry) -> tuple[str, int] | None:
        """Take note of a step's number; the prefix and count, where the step has one."""
        number = entry.data.get("number")
        prefix, dash, count = number.rpartition("-") if isinstance(number, str) else ("", "", "")
        # Eighteen digits are more than any box counts; a longer run of digits is somebody else's number.
        if not dash or not (count.isascii() and count.isdigit() and len(count) <= 18):
            return None
        self._last[prefix] = max(self._last.get(prefix, 0), int(count))
        return prefix, self._last[prefix]

    async def used(self, entry: StepEntry) -> None:
        """A step is durable: its number is remembered outside of the journal too."""
        if (seen := self.seen(entry)) is not None:
            await self._store.save_number(*seen)
