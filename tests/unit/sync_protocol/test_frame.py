"""Frames and entries: round trips, and nothing that was changed on the way gets through."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from sync_protocol import chain, entries, frame, signing, steps
from sync_protocol.entries import Clk, ReadingEntry, StepEntry
from sync_protocol.errors import FrameFault, SyncError, TextFault, UnknownKey
from sync_protocol.ids import BoxId, RunId

BOX = BoxId("01J0000000000000000000000A")
RUN = RunId("0123456789abcdef" * 2)
KEY = ec.generate_private_key(ec.SECP256R1())
SPKI = signing.spki(KEY.public_key())
KEY_ID = signing.key_id(SPKI)
SIGN = signing.signer(KEY)
STAMP = {"boot_id": "b", "mono_ns": 1, "wall_ns": 2, "clk": Clk(s="ntp", err_ms=5)}

lines = st.binary(max_size=200).map(lambda data: data.replace(b"\n", b" "))


def find_key(key_id: bytes) -> frame.Verify | None:
    return signing.verifier(SPKI) if key_id == KEY_ID else None


def sealed(records: list[bytes], first: int = 0, prev: bytes | None = None) -> bytes:
    before = chain.seed(RUN) if prev is None else prev
    return frame.seal(box=BOX, run=RUN, first=first, prev=before, entries=records, gen=1, key_id=KEY_ID, sign=SIGN)


@given(st.lists(lines, min_size=1, max_size=20))
def test_a_frame_opens_to_what_was_sealed(records: list[bytes]) -> None:
    batch = frame.unseal(sealed(records), find_key)
    assert list(batch.entries) == records
    assert list(batch.hashes) == chain.links(chain.seed(RUN), 0, records)
    assert (batch.box, batch.run, batch.first, batch.end) == (BOX, RUN, 0, len(records))


# Made once: an ECDSA signature's length varies from one signing to the next.
GOOD = sealed([b'{"t":"note"}', b'{"t":"note","n":1}'])


@given(st.data())
def test_no_flipped_bit_gets_through(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(GOOD) * 8 - 1))
    bad = bytearray(GOOD)
    bad[at // 8] ^= 1 << (at % 8)
    with pytest.raises(SyncError):
        frame.unseal(bytes(bad), find_key)


@given(st.data())
def test_no_cut_frame_gets_through(data: st.DataObject) -> None:
    with pytest.raises(SyncError):
        frame.unseal(GOOD[: data.draw(st.integers(0, len(GOOD) - 1))], find_key)


@given(st.binary(max_size=400))
def test_any_bytes_end_in_a_declared_error(junk: bytes) -> None:
    with pytest.raises(SyncError):
        frame.unseal(junk, find_key)
    with pytest.raises(SyncError):
        frame.unseal(sealed([b"x"]) + junk + b"!", find_key)


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(UnknownKey) as caught:
        frame.unseal(sealed([b"x"]), lambda _key_id: None)
    assert caught.value.key_id == KEY_ID


def test_a_foreign_key_under_our_id_does_not_verify() -> None:
    other = signing.spki(ec.generate_private_key(ec.SECP256R1()).public_key())
    with pytest.raises(SyncError):
        frame.unseal(sealed([b"x"]), lambda _key_id: signing.verifier(other))


def signed(header: str, records: list[bytes]) -> bytes:
    body = frame.body_of(header.encode(), records)
    signature = SIGN(frame.pre_auth_encoding(body))
    return len(signature).to_bytes(2, "big") + signature + KEY_ID + body


@pytest.mark.parametrize(
    ("change", "records"),
    [
        ({"n": "3"}, [b"a", b"b"]),
        ({"prev": f'"{"0" * 64}"'}, [b"a", b"b"]),
        ({"last": f'"{"0" * 64}"'}, [b"a", b"b"]),
        ({"v": "2"}, [b"a", b"b"]),
        ({"box": '"me"'}, [b"a", b"b"]),
        ({"run": '"zz"'}, [b"a", b"b"]),
        ({"first": "-1"}, [b"a", b"b"]),
    ],
)
def test_a_signed_frame_that_contradicts_itself_is_refused(change: dict[str, str], records: list[bytes]) -> None:
    last = chain.links(chain.seed(RUN), 0, records)[-1].hex()
    parts = {
        "v": "1",
        "box": f'"{BOX}"',
        "run": f'"{RUN}"',
        "first": "0",
        "n": "2",
        "prev": f'"{chain.seed(RUN).hex()}"',
        "last": f'"{last}"',
        "gen": "0",
    }
    good = "{" + ",".join(f'"{name}":{value}' for name, value in parts.items()) + "}"
    assert frame.unseal(signed(good, records), find_key).end == 2
    bad = "{" + ",".join(f'"{name}":{value}' for name, value in (parts | change).items()) + "}"
    with pytest.raises(FrameFault):
        frame.unseal(signed(bad, records), find_key)


def test_limits_hold_on_both_sides() -> None:
    with pytest.raises(FrameFault):
        sealed([b"x" * (frame.MAX_ENTRY_BYTES_TOTAL + 1)])
    with pytest.raises((FrameFault, ValueError)):
        sealed([b"x"] * (frame.MAX_ENTRIES + 1))
    assert frame.unseal(sealed([b"x"] * frame.MAX_ENTRIES), find_key).end == frame.MAX_ENTRIES
    with pytest.raises(FrameFault, match="limit"):
        frame.unseal(b"\x00" * (frame.MAX_FRAME + 1), find_key)


@given(st.lists(st.integers(0, 70_000), max_size=700))
def test_how_many_fills_a_frame_and_never_overfills_it(sizes: list[int]) -> None:
    count = frame.how_many(sizes)
    assert count == min(1, len(sizes)) or sum(sizes[:count]) + count <= frame.MAX_ENTRY_BYTES_TOTAL
    assert count <= frame.MAX_ENTRIES
    if count < min(len(sizes), frame.MAX_ENTRIES):
        assert sum(sizes[: count + 1]) + count + 1 > frame.MAX_ENTRY_BYTES_TOTAL


@given(
    value=st.from_regex(r"-?[0-9]{1,9}\.[0-9]{3}", fullmatch=True),
    details=st.dictionaries(st.text(max_size=8), st.text(max_size=20)),
)
def test_an_entry_reads_back_and_is_one_line(value: str, details: dict[str, str]) -> None:
    entry = ReadingEntry(
        **STAMP, device="scale", driver="mt-sics", kind="mass", value=value, unit="kg", details=details, raw="AA=="
    )
    data = entries.encode(entry)
    assert b"\n" not in data
    assert entries.parse(data) == entry


texts = st.text(st.characters(codec="utf-8"), max_size=20)


@given(
    value=st.none() | texts,
    unit=st.none() | st.just("kg"),
    details=st.dictionaries(texts, texts),
    flags=st.lists(st.sampled_from(["net", "stable"])),
    err_ms=st.none() | st.integers(0, 10**6),
)
def test_readings_are_written_fast_and_the_same(
    value: str | None, unit: str | None, details: dict[str, str], flags: list[str], err_ms: int | None
) -> None:
    stamp = entries.StampFields(boot_id="b", mono_ns=2**62, wall_ns=-5, clk=Clk(s="ntp", err_ms=err_ms))
    fields = entries.ReadingFields(
        device="d",
        driver="x",
        kind="code",
        value=value,
        unit=unit,
        op=None,
        flags=flags,
        instrument_time=None,
        details=details,
        raw="AA==",
    )
    written = entries.encode_reading(stamp, fields)
    assert written.t == "reading"
    assert entries.parse(written.data) == ReadingEntry(**stamp, **fields)
    assert entries.encode(written) is written.data


def test_a_reading_above_the_limit_is_refused_and_odd_text_is_not() -> None:
    fields = entries.ReadingFields(
        device="d",
        driver="x",
        kind="code",
        value="\udc80\n",
        unit=None,
        op=None,
        flags=[],
        instrument_time=None,
        details={},
        raw="",
    )
    assert entries.parse(entries.encode_reading(STAMP, fields).data).value == "?\n"
    with pytest.raises(TextFault, match="limit"):
        entries.encode_reading(STAMP, fields | {"raw": "A" * entries.MAX_ENTRY_BYTES})


def test_an_entry_of_a_later_program_is_kept_and_passed_over() -> None:
    data = b'{"boot_id":"b","mono_ns":1,"wall_ns":2,"clk":{"s":"none"},"t":"hologram","x":[1]}'
    assert entries.parse(data).t == "hologram"


@given(st.binary(max_size=120) | st.text(max_size=60).map(str.encode))
def test_bytes_that_are_no_entry_end_in_the_declared_error(data: bytes) -> None:
    with pytest.raises(TextFault):
        entries.parse(data)


@pytest.mark.parametrize("nested", [b"[" * 100_000, b'{"t":' * 50_000, b'{"t":"note","data":' + b'{"a":' * 50_000])
def test_deep_nesting_is_an_error_like_any_other(nested: bytes) -> None:
    with pytest.raises(TextFault):
        entries.parse(nested)


def test_an_entry_above_the_limit_is_refused() -> None:
    with pytest.raises(TextFault, match="limit"):
        entries.encode(entries.NoteEntry(**STAMP, name="x" * entries.MAX_ENTRY_BYTES))


def value(**change: object) -> steps.FieldValue:
    return steps.FieldValue.model_validate({"value": "1", "mode": "device", "reading": f"{RUN}:5"} | change)


def test_a_step_reads_back_with_the_readings_it_rests_on() -> None:
    item = steps.Item(line=1, product="P", product_rev=3, identity=value(), lot=value(), expiry=value(reading=f"{RUN}:6"))
    assert steps.readings_of(item) == [f"{RUN}:5", f"{RUN}:6"]
    entry = StepEntry(
        **STAMP,
        job="j",
        job_kind="receive",
        n=1,
        step=steps.name_of(item),
        station="s",
        by="dana",
        data=item.model_dump(exclude_none=True),
    )
    assert steps.receive_step(entries.parse(entries.encode(entry))) == item


@pytest.mark.parametrize(
    "change",
    [{"reading": None}, {"mode": "manual"}, {"mode": "manual", "reading": None}, {"mode": "manual", "reason": "no label"}],
)
def test_a_value_rests_on_a_reading_or_on_a_reason(change: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        value(**change)
    assert value(mode="manual", reading=None, reason="no label").reason


@pytest.mark.parametrize(("kind", "step"), [("receive", "fly"), ("inspect", "open"), ("receive", "item")])
def test_an_unknown_or_incomplete_step_is_refused(kind: str, step: str) -> None:
    with pytest.raises(TextFault):
        steps.receive_step(StepEntry(**STAMP, job="j", job_kind=kind, n=0, step=step, station="s", by="d"))
