"""Which of two ways to the cloud is used: pure functions of what worked and what did not.

The preferred way is used until it misses a few times in a row; then the other, for as long as that works, with a look at the
preferred one now and then. One that came back is on trial: its first miss sends back to the other at once.
"""

from dataclasses import dataclass, replace

from edge.uplink.binding import BindingName

MISSES = 3
"""In a row, with back-off between them some ten seconds: a cloud that is started anew is no reason to change the way."""

PROBE_EVERY_NS = 300_000_000_000
"""How often the preferred way is looked at while the other is used."""


@dataclass(frozen=True, slots=True)
class Policy:
    """`ways` in the order of preference, one or two; `probed_ns` is when the preferred one was last left or looked at."""

    ways: tuple[BindingName, ...]
    using: BindingName
    misses: int = 0
    on_trial: bool = False
    probed_ns: int = 0

    @classmethod
    def of(cls, *ways: BindingName) -> "Policy":
        return cls(ways, ways[0])

    @property
    def fallen_back(self) -> bool:
        """Whether a way is used that is not the preferred one."""
        return self.using != self.ways[0]


def answered(policy: Policy, way: BindingName) -> Policy:
    """A frame was answered on `way`. An answer that comes late, on a way no longer used, proves nothing about the other."""
    if way != policy.using:
        return policy
    return replace(policy, misses=0, on_trial=False)


def missed(policy: Policy, way: BindingName, now_ns: int) -> Policy:
    """A frame was not answered on `way`."""
    if way != policy.using or len(policy.ways) == 1:
        return policy
    misses = policy.misses + 1
    if misses < MISSES and not policy.on_trial:
        return replace(policy, misses=misses)
    other = policy.ways[1] if way == policy.ways[0] else policy.ways[0]
    left_ns = now_ns if way == policy.ways[0] else policy.probed_ns
    return replace(policy, using=other, misses=0, on_trial=False, probed_ns=left_ns)


def probe_due_ns(policy: Policy) -> int | None:
    """When the preferred way should be looked at; None while it is used."""
    return policy.probed_ns + PROBE_EVERY_NS if policy.fallen_back else None


def probed(policy: Policy, now_ns: int, *, works: bool) -> Policy:
    """The preferred way was looked at."""
    if not policy.fallen_back:
        return policy
    if not works:
        return replace(policy, probed_ns=now_ns)
    return replace(policy, using=policy.ways[0], misses=0, on_trial=True, probed_ns=now_ns)
