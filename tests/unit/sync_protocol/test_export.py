"""Exported journals: what was exported verifies, and nothing that was changed, cut, dropped or swapped does."""

import io
import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from sync_protocol import chain, export, frame, signing
from sync_protocol.entries import Clk, NoteEntry, Position, RunEntry, encode
from sync_protocol.errors import ExportFault
from sync_protocol.export import MAGIC, Contents, Part, item, plain_line, seal_contents
from sync_protocol.ids import BoxId, RunId

BOX = BoxId("01J0000000000000000000000A")
KEY = ec.generate_private_key(ec.SECP256R1())
SPKI = signing.spki(KEY.public_key())
KEY_ID = signing.key_id(SPKI)
SIGN = signing.signer(KEY)
STAMP = {"boot_id": "b", "mono_ns": 1, "wall_ns": 2, "clk": Clk(s="ntp", err_ms=5)}
FIRST, SECOND = RunId("a" * 32), RunId("b" * 32)


def find_key(key_id: bytes) -> frame.Verify | None:
    return signing.verifier(SPKI) if key_id == KEY_ID else None


def run_of(run: RunId, names: list[str], parent: Position | None = None) -> tuple[Part, list[bytes]]:
    entries = [encode(RunEntry(**STAMP, fw="1", parent=parent)), *(encode(NoteEntry(**STAMP, name=name)) for name in names)]
    seed = chain.seed(run)
    last = chain.links(seed, 0, entries)[-1].hex()
    return Part(run=run, first=0, end=len(entries), prev=seed.hex(), last=last, parent=parent), entries


A, A_ENTRIES = run_of(FIRST, ["one", "two", "three"])
B, B_ENTRIES = run_of(SECOND, ["four"], Position(run=FIRST, seq=A.end - 1, hash=A.last))
BOTH = Contents(box=BOX, wall_ns=7, runs=(A, B))


def frames(part: Part, entries: list[bytes], size: int = 2) -> list[bytes]:
    made, before = [], bytes.fromhex(part.prev)
    for start in range(0, len(entries), size):
        some = entries[start : start + size]
        made.append(
            frame.seal(
                box=BOX,
                run=RunId(part.run),
                first=part.first + start,
                prev=before,
                entries=some,
                gen=0,
                key_id=KEY_ID,
                sign=SIGN,
            )
        )
        before = chain.links(before, part.first + start, some)[-1]
    return made


def signed(contents: Contents = BOTH, items: list[bytes] | None = None) -> bytes:
    found = items if items is not None else [*frames(A, A_ENTRIES), *frames(B, B_ENTRIES)]
    return MAGIC + b"".join(map(item, [seal_contents(contents, key_id=KEY_ID, sign=SIGN), *found]))


def plain(contents: Contents = BOTH) -> bytes:
    lines = [plain_line(contents), plain_line(A), *(entry + b"\n" for entry in A_ENTRIES)]
    return b"".join([*lines, plain_line(B), *(entry + b"\n" for entry in B_ENTRIES)])


def verify(data: bytes, *, key: bool = True) -> Contents:
    return export.verify(io.BytesIO(data).read, find_key if key else None)


GOOD, GOOD_PLAIN = signed(), plain()


def test_a_signed_file_verifies_with_the_public_key_alone() -> None:
    assert verify(GOOD) == BOTH


def test_an_unsigned_file_is_read_and_never_passes_for_a_signed_one() -> None:
    assert verify(GOOD_PLAIN, key=False) == BOTH
    with pytest.raises(ExportFault, match="no signatures"):
        verify(GOOD_PLAIN)
    with pytest.raises(ExportFault, match="give the box's public key"):
        verify(GOOD, key=False)


@given(st.data())
def test_no_flipped_bit_gets_through(data: st.DataObject) -> None:
    good, key = data.draw(st.sampled_from([(GOOD, True), (GOOD_PLAIN, False)]))
    at = data.draw(st.integers(0, len(good) * 8 - 1))
    bad = bytearray(good)
    bad[at // 8] ^= 1 << (at % 8)
    if not key and json_alike(good, bytes(bad)):
        return
    with pytest.raises(ExportFault):
        verify(bytes(bad), key=key)


def json_alike(good: bytes, bad: bytes) -> bool:
    """Without a signature nothing vouches for the contents' remarks (box, time); the chain vouches for all entries."""
    first = len(good.split(b"\n", 1)[0])
    return good[first:] == bad[first:]


@given(st.data())
def test_no_cut_file_gets_through(data: st.DataObject) -> None:
    good, key = data.draw(st.sampled_from([(GOOD, True), (GOOD_PLAIN, False)]))
    with pytest.raises(ExportFault):
        verify(good[: data.draw(st.integers(0, len(good) - 1))], key=key)


@given(st.binary(max_size=300), st.sampled_from([b"", MAGIC, MAGIC + b"\0\0\0\x20", b"{"]), st.booleans())
def test_any_bytes_give_the_declared_error_only(data: bytes, start: bytes, key: bool) -> None:
    with pytest.raises(ExportFault):
        verify(start + data, key=key)


WHOLE = [*frames(A, A_ENTRIES), *frames(B, B_ENTRIES)]
CHANGED = B.model_copy(update={"parent": Position(run=FIRST, seq=A.end - 1, hash="0" * 64)})
_, LIE = run_of(SECOND, ["four"], CHANGED.parent)
LIAR = CHANGED.model_copy(update={"last": chain.links(chain.seed(SECOND), 0, LIE)[-1].hex()})

TAMPERED: dict[str, tuple[Callable[[], bytes], str]] = {
    "the last frame is gone": (lambda: signed(items=WHOLE[:-1]), f"{SECOND}:0"),
    "a frame in the middle is gone": (lambda: signed(items=[WHOLE[0], *WHOLE[2:]]), f"{FIRST}:2"),
    "two frames changed places": (lambda: signed(items=[WHOLE[1], WHOLE[0], *WHOLE[2:]]), f"{FIRST}:0"),
    "a frame came twice": (lambda: signed(items=[*WHOLE, WHOLE[-1]]), "more than its contents"),
    "a run is left out of the contents": (lambda: signed(BOTH.model_copy(update={"runs": (A,)})), "more than its contents"),
    "an entry was changed": (lambda: signed(items=[WHOLE[0].replace(b"one", b"won"), *WHOLE[1:]]), f"{FIRST}:0"),
    "the run of another box": (lambda: signed(BOTH.model_copy(update={"box": "01J0000000000000000000000B"})), f"{FIRST}:0"),
    "another parent than the file holds": (
        lambda: signed(Contents(box=BOX, wall_ns=7, runs=(A, LIAR)), [*frames(A, A_ENTRIES), *frames(LIAR, LIE)]),
        f"{SECOND}:0",
    ),
    "contents end at another hash": (
        lambda: signed(BOTH.model_copy(update={"runs": (A, B.model_copy(update={"last": "0" * 64}))})),
        f"{SECOND}:1",
    ),
    "a run of no entries": (
        lambda: signed(BOTH.model_copy(update={"runs": (A.model_copy(update={"end": 0}),)}), []),
        f"{FIRST}:0",
    ),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_what_was_done_to_a_file_is_found_and_placed(how: str) -> None:
    make, where = TAMPERED[how]
    with pytest.raises(ExportFault, match=where):
        verify(make())


def test_another_box_key_is_refused() -> None:
    other = signing.spki(ec.generate_private_key(ec.SECP256R1()).public_key())
    with pytest.raises(ExportFault, match="another key"):
        export.verify(
            io.BytesIO(GOOD).read, lambda key_id: signing.verifier(other) if key_id == signing.key_id(other) else None
        )


def test_a_frame_cannot_pass_for_contents() -> None:
    body = json.dumps({"v": 1, "wall_ns": 1, "runs": []}).encode()
    forged = SIGN(frame.pre_auth_encoding(body))
    data = MAGIC + item(len(forged).to_bytes(2, "big") + forged + KEY_ID + body)
    with pytest.raises(ExportFault, match="signature"):
        verify(data)


def test_an_unsigned_file_with_a_changed_entry_names_its_run() -> None:
    with pytest.raises(ExportFault, match=f"{FIRST}:3"):
        verify(GOOD_PLAIN.replace(b'"two"', b'"too"'), key=False)
