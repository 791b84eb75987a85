"""What somebody may do: grants of roles, put together per kind and action. Nothing is allowed that no grant names."""

from collections.abc import Iterable
from dataclasses import dataclass, field

ANY = "*"
"""As a grant's kind or action: every one. `transition:*` is every transition of the kind."""

READ, CREATE, WRITE, ARCHIVE, EXPORT, CONFIGURE = "read", "create", "write", "archive", "export", "configure"
TRANSITION = "transition:"

ACTIONS = (READ, CREATE, WRITE, ARCHIVE, EXPORT, CONFIGURE)
"""Beside `transition:NAME`. `configure` on a kind is changing its definition; on `*`, of the whole."""


@dataclass(frozen=True, slots=True)
class Mask:
    """Which fields a grant reaches: `only` those named (None: all), and never the `hidden` ones."""

    only: frozenset[str] | None = None
    hidden: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str) -> "Mask":
        """From names with spaces or commas between; with `-` before it a name is hidden. An empty text hides nothing."""
        names = text.replace(",", " ").split()
        only = frozenset(name for name in names if not name.startswith("-"))
        return cls(only or None, frozenset(name[1:] for name in names if name.startswith("-")))

    def __str__(self) -> str:
        return " ".join([*sorted(self.only or ()), *(f"-{name}" for name in sorted(self.hidden))])

    def allows(self, name: str) -> bool:
        return name not in self.hidden and (self.only is None or name in self.only)

    def __and__(self, other: "Mask") -> "Mask":
        """Fields that both reach."""
        given = [one.only for one in (self, other) if one.only is not None]
        only = frozenset.intersection(*given) if given else None
        return Mask(only, self.hidden | other.hidden)


OPEN = Mask()


@dataclass(frozen=True, slots=True)
class Grant:
    """One permission of one role. `scope` is an expression over the record's fields ("" for every record); `site` the code of
    the site at which the role was given to the person, None for everywhere."""

    role: str
    kind: str
    action: str
    scope: str = ""
    mask: Mask = OPEN
    site: str | None = None

    def covers(self, kind: str, action: str) -> bool:
        if self.kind not in {ANY, kind}:
            return False
        return self.action in {ANY, action} or (self.action == TRANSITION + ANY and action.startswith(TRANSITION))


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which an action is allowed: on records of the site for which all of the scopes hold, and on masked fields."""

    scopes: tuple[str, ...] = ()
    mask: Mask = OPEN
    site: str | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """Everything that one person (or key) may do.

    Inside a role grants for the same kind and action narrow each other: all scopes must hold, fields must be in every mask, so
    that a stricter rule always has an effect. Between roles they widen: each role, and each site it is given at, is a way of
    its own. A second role never takes anything away.
    """

    grants: tuple[Grant, ...] = ()
    _ways: dict[tuple[str, str], tuple[Way, ...]] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def all(cls) -> "Access":
        """For what acts by itself and for set-up commands."""
        return cls((Grant("system", ANY, ANY),))

    @classmethod
    def of(cls, grants: Iterable[Grant]) -> "Access":
        return cls(tuple(grants))

    def ways(self, kind: str, action: str) -> tuple[Way, ...]:
        """The ways in which the action is allowed on this kind; empty when it is not."""
        found = self._ways.get((kind, action))
        if found is None:
            found = self._ways[kind, action] = self._find(kind, action)
        return found

    def may(self, kind: str, action: str) -> bool:
        """Whether the action is allowed on some record of this kind."""
        return bool(self.ways(kind, action))

    def _find(self, kind: str, action: str) -> tuple[Way, ...]:
        by_role: dict[tuple[str, str | None], list[Grant]] = {}
        for grant in self.grants:
            if grant.covers(kind, action):
                by_role.setdefault((grant.role, grant.site), []).append(grant)
        ways = []
        for (_role, site), grants in by_role.items():
            mask = OPEN
            for grant in grants:
                mask &= grant.mask
            ways.append(Way(tuple(dict.fromkeys(grant.scope for grant in grants if grant.scope)), mask, site))
        return tuple(dict.fromkeys(ways))
