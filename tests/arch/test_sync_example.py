"""The worked example and the limits of docs/SYNC.md are what the code makes and has."""

from importlib import import_module

from sync_protocol import signing
from sync_protocol.frame import unseal
from sync_protocol.routes import ANSWER_TYPE, BATCHES, DOWN, FRAME_TYPE
from tests.arch import example_frame
from tests.arch.pages import bare, missing, page, section, table

SYNC = page("docs/SYNC.md")
SHOWN = SYNC.partition("<!-- example: python -m tests.arch.example_frame -->\n")[2].partition("\n<!-- end -->")[0]


def test_the_example_is_what_the_code_makes() -> None:
    assert example_frame.block() == SHOWN, "run `python -m tests.arch.example_frame` and paste"


def test_the_example_opens_with_the_key_it_names() -> None:
    rows = [line for line in SHOWN.splitlines() if line[4:6] == "  " and line[:2] == line[:2].strip()]
    shown = bytes.fromhex("".join(line[6:70] for line in rows if line[:4].strip()))
    verifier = signing.verifier(example_frame.SPKI)
    opened = unseal(shown, {signing.key_id(example_frame.SPKI): verifier}.get)
    assert opened.entries == example_frame.ENTRIES
    assert [digest.hex() for digest in opened.hashes] == [value for name, value in example_frame.facts()][-2:]


def test_every_limit_is_the_constant_that_it_names() -> None:
    for row in table(section(SYNC, "Limits")):
        module, _, name = bare(row["constant"]).rpartition(".")
        assert f"{getattr(import_module(module), name):,}" == row["value"], row["limit"]


def test_every_route_and_type_is_named() -> None:
    assert not missing({BATCHES, DOWN, FRAME_TYPE, ANSWER_TYPE}, SYNC)
