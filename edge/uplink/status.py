"""What the box knows of its link to the cloud, for screens and health."""

from dataclasses import dataclass


@dataclass(slots=True)
class LinkFacts:
    """Facts, not judgements; `changed_ns` and `answered_ns` are `Clock.now_ns`."""

    up: bool = False
    changed_ns: int = 0
    answered_ns: int | None = None
    oldest_waiting_ns: int | None = None
    """When the oldest entry that the cloud lacks was written; None when none waits or it was written before this boot."""
    alarm: str | None = None
    """What needs a person: a refusal (`fork`, `revoked`, `sig`...), or `pruned` when the cloud asks for what is gone."""
    told: bool = False
    """Whether an outcome was reported at all; before that, a miss is news too."""

    def heard(self, now_ns: int) -> bool:
        """The cloud answered; whether the link was down before."""
        was_down = not self.up
        if was_down:
            self.up, self.changed_ns = True, now_ns
        self.answered_ns, self.told = now_ns, True
        return was_down

    def missed(self, now_ns: int) -> bool:
        """The cloud was not reached; whether that is news: the link was up before, or nothing was known of it."""
        news = self.up or not self.told
        if news:
            self.up, self.changed_ns, self.told = False, now_ns, True
        return news
