"""What the box knows of its link to the cloud, for screens and health."""

from dataclasses import dataclass


@dataclass(slots=True)
class LinkFacts:
    """Facts, not judgements; `changed_ns` and `answered_ns` are `Clock.now_ns`."""

    up: bool = False
    changed_ns: int = 0
    answered_ns: int | None = None
    alarm: str | None = None
    """A refusal that needs a person: `fork`, `revoked`, `sig`..."""

    def heard(self, now_ns: int) -> bool:
        """The cloud answered; whether the link was down before."""
        was_down = not self.up
        if was_down:
            self.up, self.changed_ns = True, now_ns
        self.answered_ns = now_ns
        return was_down

    def missed(self, now_ns: int) -> bool:
        """The cloud was not reached; whether the link was up before."""
        was_up = self.up
        if was_up:
            self.up, self.changed_ns = False, now_ns
        return was_up
