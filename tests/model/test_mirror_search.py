"""I10 over the shipped `mirror.applied`: whatever is cut, changed between pages or restored, the box holds one revision."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from sync_protocol.errors import PatchFault
from sync_protocol.mirror import Clear, Del, Patch, Put, Row, applied, checksum
from tests.model.search import Found, Step, explore

PAGE = 2
"""Operations of one patch: three rows take two pages, as a thousand and one do."""


class Stored(NamedTuple):
    """A row of the cloud; one that went away stays as a mark."""

    key: str
    rev: int
    gone: bool = False


Rows = tuple[Stored, ...]
Held = frozenset[tuple[str, int]]


class World(NamedTuple):
    """The scope in the cloud, its backup, and the box: what it has, and the pages of the pull under way."""

    rows: Rows = ()
    epoch: int = 0
    backup: Rows | None = None
    ever: frozenset[Held] = frozenset({frozenset()})
    cookie: str = ""
    held: Held = frozenset()
    pulled: tuple[str, Held] | None = None
    changes: int = 4
    restores: int = 1
    cuts: int = 1


@dataclass(frozen=True)
class Rules:
    """As shipped; a mutant overrides one."""

    draws_epoch: bool = True
    page_by_page: bool = False
    checks_sum: bool = True


def newest(rows: Rows) -> int:
    return max((row.rev for row in rows), default=0)


def alive(rows: Rows) -> Held:
    return frozenset((row.key, row.rev) for row in rows if not row.gone)


def patch_for(world: World, cookie: str) -> Patch:
    """As the cloud makes it: what changed since, in the order of change, a page of it."""
    epoch, _, number = cookie.partition(".")
    known = epoch == str(world.epoch) and int(number) <= newest(world.rows)
    since = int(number) if known else 0
    wanted = sorted((row for row in world.rows if row.rev > since and (known or not row.gone)), key=lambda row: row.rev)
    room = PAGE if known else PAGE - 1
    more, wanted = len(wanted) > room, wanted[:room]
    ops: list[Clear | Put | Del] = [] if known else [Clear()]
    ops += [Del(t="t", k=row.key) if row.gone else Put(t="t", k=row.key, rev=row.rev, v={}) for row in wanted]
    total = None if more else checksum(("t", key, rev) for key, rev in alive(world.rows))
    reached = wanted[-1].rev if more else newest(world.rows)
    return Patch.model_validate(
        {"from": cookie, "cookie": f"{world.epoch}.{reached}", "patch": ops, "sum": total, "more": more}
    )


def steps(rules: Rules, world: World) -> Iterator[Step[World]]:
    if world.changes:
        for key in "abc":
            row = next((row for row in world.rows if row.key == key), None)
            for gone in (False, True) if row is not None and not row.gone else (False,):
                changed = (*(each for each in world.rows if each.key != key), Stored(key, newest(world.rows) + 1, gone))
                words = f"the cloud {'drops' if gone else 'changes'} {key}"
                yield words, moved(world._replace(changes=world.changes - 1), tuple(sorted(changed)))
        yield "the cloud is backed up", world._replace(changes=world.changes - 1, backup=world.rows)
    if world.restores and world.backup is not None:
        after = world._replace(restores=world.restores - 1, epoch=world.epoch + rules.draws_epoch)
        yield "the cloud is restored", moved(after, world.backup)
    if world.pulled is not None and world.cuts:
        yield "the box starts again", world._replace(pulled=None, cuts=world.cuts - 1)
    yield pull(rules, world)


def moved(world: World, rows: Rows) -> World:
    return world._replace(rows=rows, ever=world.ever | {alive(rows)})


def pull(rules: Rules, world: World) -> Step[World]:
    """One page; the last one is kept, with its cookie, if the sum over all is the cloud's, else the box begins anew."""
    cookie, before = world.pulled or (world.cookie, world.held)
    patch = patch_for(world, cookie)
    if not rules.checks_sum and not patch.more:
        patch = patch.model_copy(update={"more": True})
        last = True
    else:
        last = not patch.more
    try:
        after = applied({("t", key): Row("t", key, rev, {}) for key, rev in before}, patch)
    except PatchFault:
        return "the sums differ: the box begins anew", world._replace(pulled=("", frozenset()))
    rows = frozenset((row.k, row.rev) for row in after.values())
    if last or rules.page_by_page:
        return "the box keeps what it pulled", world._replace(cookie=patch.cookie, held=rows, pulled=None)
    return "the box pulls a page", world._replace(pulled=(patch.cookie, rows))


def i10_the_box_has_one_revision(world: World) -> str | None:
    return None if world.held in world.ever else f"no revision was ever {sorted(world.held)}"


def search(rules: Rules) -> Found[World]:
    return explore(World(), lambda world: steps(rules, world), (i10_the_box_has_one_revision,))


def test_the_box_never_has_a_mixture() -> None:
    found = search(Rules())
    assert found.violation is None, f"\n{found.violation}"
    assert found.exhausted
    assert found.states > 1_000


def test_a_restored_cloud_that_counts_on_is_caught_by_the_sum() -> None:
    assert search(Rules(draws_epoch=False)).violation is None


def test_wrong_ways_to_pull_are_caught() -> None:
    for rules in (Rules(page_by_page=True), Rules(draws_epoch=False, checks_sum=False)):
        found = search(rules)
        assert found.violation is not None, rules
        assert len(found.violation.trace) <= 12, f"\n{found.violation}"
