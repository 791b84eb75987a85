"""What grants allow together, what the program's own roles allow, and who may hand out what."""

from hypothesis import given
from hypothesis import strategies as st

from cloud.kernel.access import ACTIONS, ANY, READ, TRANSITION, Access, Grant, Mask, Way
from cloud.kernel.actor import SYSTEM
from cloud.masters.machine import PURCHASE_ORDER
from cloud.people.access import explain, reaches
from cloud.people.builtin import BUILTIN, BuiltinRole
from cloud.people.models import Role
from cloud.receiving.machine import RECEIPT
from sync_protocol.expressions import parse

KINDS = ("party", "product", "receipt")
FIELDS = ("name", "price", "phone")
SCOPES = ("", "owner == me", "open")
SITES = (None, "galil", "negev")

names = st.frozensets(st.sampled_from(FIELDS))
masks = st.builds(Mask, st.none() | names, names)
actions = st.sampled_from((ANY, *ACTIONS, "transition:close", f"{TRANSITION}{ANY}"))


def grants(role: str) -> st.SearchStrategy[list[Grant]]:
    one = st.builds(
        Grant, st.just(role), st.sampled_from((ANY, *KINDS)), actions, st.sampled_from(SCOPES), masks, st.sampled_from(SITES)
    )
    return st.lists(one, max_size=4)


def allowed(access: Access) -> set[tuple[str, str, str, str, str | None]]:
    """Everything that can be asked in a small world: kind, action, field, which scopes hold, site of the record."""
    found = set()
    for kind in (*KINDS, "never_heard_of"):
        for action in (*ACTIONS, "transition:close", "transition:open"):
            for way in access.ways(kind, action):
                for field in (*FIELDS, "other"):
                    for holding in (frozenset(), frozenset({SCOPES[1]}), frozenset(SCOPES)):
                        for site in ("galil", "negev", "eilat"):
                            if set(way.scopes) <= holding and way.mask.allows(field) and way.site in {None, site}:
                                found.add((kind, action, field, "+".join(sorted(holding)), site))
    return found


def access_of(role: BuiltinRole) -> Access:
    return Access.of(Grant(role.key, each.kind, each.action, each.scope, Mask.parse(each.mask)) for each in role.grants)


BY_KEY = {role.key: access_of(role) for role in BUILTIN}


def test_nothing_is_allowed_without_a_grant() -> None:
    assert allowed(Access()) == set()


@given(grants("a"), grants("b"))
def test_another_role_never_takes_anything_away(first: list[Grant], second: list[Grant]) -> None:
    assert allowed(Access.of(first)) <= allowed(Access.of([*first, *second]))


@given(grants("a"), st.sampled_from(SCOPES), masks)
def test_a_stricter_grant_inside_a_role_never_widens(base: list[Grant], scope: str, mask: Mask) -> None:
    wide = [Grant("a", each.kind, each.action, each.scope, each.mask) for each in base]
    stricter = [Grant("a", each.kind, each.action, scope, mask) for each in wide]
    assert allowed(Access.of([*wide, *stricter])) <= allowed(Access.of(wide))


@given(grants("a"), grants("b"))
def test_reaching_as_far_means_allowing_all_of_it(first: list[Grant], second: list[Grant]) -> None:
    holder, asked = Access.of(first), Access.of(second)
    if reaches(holder, asked):
        assert allowed(asked) <= allowed(holder)
    assert reaches(holder, holder)


@given(grants("a"), grants("b"))
def test_explanation_tells_each_way_with_its_role(first: list[Grant], second: list[Grant]) -> None:
    access = Access.of([*first, *second])
    for kind, action, whys in explain(access, KINDS, ACTIONS):
        assert {why.way for why in whys} == set(access.ways(kind, action))
        for why in whys:
            part = Access.of(each for each in access.grants if each.role == why.role)
            assert why.way in part.ways(kind, action)


def test_every_role_of_the_program_is_in_the_table_once() -> None:
    assert [role.key for role in BUILTIN] == [str(role) for role in Role]


def test_scopes_of_the_programs_roles_are_expressions() -> None:
    for role in BUILTIN:
        for each in role.grants:
            if each.scope:
                parse(each.scope)


def test_only_admin_and_auditor_may_do_anything_with_an_unknown_kind() -> None:
    may = {key: {action for action in ACTIONS if access.may("never_heard_of", action)} for key, access in BY_KEY.items()}
    assert {key: found for key, found in may.items() if found} == {"admin": set(ACTIONS), "auditor": {"read", "export"}}


def test_nobody_but_admins_touches_people_and_definitions() -> None:
    for key, access in BY_KEY.items():
        for kind in ("user", "role", "api_key", ANY):
            writes = [
                action for action in (*ACTIONS, "transition:x") if action not in {"read", "export"} and access.may(kind, action)
            ]
            assert bool(writes) is (key == "admin"), (key, kind)


def test_grants_agree_with_the_machines() -> None:
    for machine in (RECEIPT, PURCHASE_ORDER):
        for name in {row.action for row in machine.transitions}:
            by_machine = set().union(*(row.roles for row in machine.transitions if row.action == name)) - {SYSTEM}
            by_grants = {key for key, access in BY_KEY.items() if access.may(machine.kind, f"{TRANSITION}{name}")}
            if by_machine or name != "question":
                assert by_grants == {str(role) for role in by_machine}, (machine.kind, name)


def test_an_operator_gives_up_only_what_is_not_finished() -> None:
    [way] = BY_KEY["operator"].ways("receipt", f"{TRANSITION}abandon")
    sources = {
        state for row in RECEIPT.transitions if row.action == "abandon" and Role.OPERATOR in row.roles for state in row.sources
    }
    assert way == Way((f"state in {sorted(sources, key=['open', 'counting'].index)}",))


def test_everybody_who_could_read_receipts_still_can() -> None:
    for key in ("admin", "supervisor", "operator", "viewer"):
        for kind in ("receipt", "box", "purchase_order", "party", "product"):
            assert BY_KEY[key].ways(kind, READ) == (Way(),)
