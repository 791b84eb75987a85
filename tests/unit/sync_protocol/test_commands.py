"""Leases and commands: in whatever order they come, nothing is done twice, and nothing under a lease older than one seen."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_protocol.commands import MAX_COMMAND_BYTES, Changed, Command, Fence, judge, new_command_id, parse, seen
from sync_protocol.errors import TextFault
from sync_protocol.ops import MAX_CONFIGURATION, OPS, arguments

ID = new_command_id(1_700_000_000_000, bytes(10))


def command(lease: int, cmd_id: str = ID) -> Command:
    return Command(cmd_id=cmd_id, lease=lease, not_after="2026-01-01T00:00:00+00:00", op="zero")


DELIVERIES = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 3), st.booleans(), st.booleans()), max_size=30)


@given(DELIVERIES)
def test_nothing_is_done_twice_or_under_an_older_lease(deliveries: list[tuple[int, int, bool, bool]]) -> None:
    fence, taken, done = Fence(), set[str](), list[tuple[int, str]]()
    highest = 0
    for lease, number, late, session in deliveries:
        if session:
            fence, highest = seen(fence, lease), max(highest, lease)
            continue
        one = command(lease, new_command_id(number, bytes(10)))
        fence, verdict = judge(fence, one, known=one.cmd_id in taken, late=late)
        if verdict in {"carry_out", "expired"}:
            taken.add(one.cmd_id)
        if verdict == "carry_out":
            assert lease >= highest
            assert not late
            done.append((lease, one.cmd_id))
        highest = max(highest, lease)
        assert fence.highest == highest
    assert len({cmd_id for _, cmd_id in done}) == len(done)
    assert [lease for lease, _ in done] == sorted(lease for lease, _ in done)


def test_messages_are_read_and_everything_else_is_a_fault() -> None:
    assert parse(b'{"t":"changed","later":1}') == Changed()
    assert parse(command(3).model_dump_json().encode()) == command(3)
    good = json.loads(command(3).model_dump_json())
    for broken in (
        b"",
        b"[]",
        b'{"t":"explode"}',
        json.dumps(good | {"cmd_id": "x"}).encode(),
        json.dumps(good | {"lease": 0}).encode(),
        json.dumps(good | {"lease": 1 << 63}).encode(),
        json.dumps(good | {"op": ""}).encode(),
        json.dumps(good | {"args": {"x": "y" * MAX_COMMAND_BYTES}}).encode(),
    ):
        with pytest.raises(TextFault):
            parse(broken)


def test_ids_sort_by_the_time_of_giving() -> None:
    ids = [new_command_id(now_ms, bytes(10)) for now_ms in (0, 1, 255, 1 << 20, 1 << 40)]
    assert ids == sorted(ids)
    assert all(parse(command(1, one).model_dump_json().encode()) for one in ids)


@pytest.mark.parametrize(
    ("op", "args"),
    [
        ("format_disk", {}),
        ("zero", {}),
        ("zero", {"device": ""}),
        ("zero", {"device": "scale-1", "force": True}),
        ("identify", {"seconds": 61}),
        ("identify", {"seconds": 0}),
        ("configure", {"toml": "x" * (MAX_CONFIGURATION + 1)}),
        ("pull_mirror", {"now": 1}),
    ],
)
def test_arguments_that_do_not_fit_are_a_fault(op: str, args: dict[str, object]) -> None:
    with pytest.raises(TextFault, match=op):
        arguments(op, args)


def test_largest_configuration_fits_a_message() -> None:
    # Two bytes a character and every one escaped is no configuration; quotes and line feeds are.
    text = ('a = "1"\n' * MAX_CONFIGURATION)[:MAX_CONFIGURATION]
    args = arguments("configure", {"toml": text}).model_dump()
    one = Command(cmd_id=ID, lease=(1 << 63) - 1, not_after="2026-01-01T00:00:00+00:00", op="configure", args=args)
    assert len(one.model_dump_json()) <= MAX_COMMAND_BYTES
    assert set(OPS) == {op for op in OPS if op == op.lower()}
