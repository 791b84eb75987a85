"""The worked example of docs/SYNC.md, built from nothing but its constants. Run as a program it prints the block to paste.

The key is an example: its private number is 1, which everybody knows.
"""

import base64
import sys
from collections.abc import Iterator

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from sync_protocol import chain, signing
from sync_protocol.entries import Clk, ReadingEntry, RunEntry, encode
from sync_protocol.frame import seal
from sync_protocol.ids import box_id, run_id

RUN = run_id("00112233445566778899aabbccddeeff")
BOX = box_id("01HF7YAT00000000000000B0X1")
KEY = ec.derive_private_key(1, ec.SECP256R1())
SPKI = signing.spki(KEY.public_key())
BOOT = "5b1ad0c4-8d0e-4e9c-9d0c-3f4e6f2d1a70"

ENTRIES = (
    encode(RunEntry(boot_id=BOOT, mono_ns=1000, wall_ns=1700000000000000000, clk=Clk(s="none"), fw="0.1.0")),
    encode(
        ReadingEntry(
            boot_id=BOOT, mono_ns=2000, wall_ns=1700000000000001000, clk=Clk(s="none"), device="scale-1", driver="mt-sics",
            kind="mass", value="12.340", unit="kg", flags=["stable"], raw=base64.b64encode(b"S S     12.340 kg\r\n").decode(),
        )
    ),
)  # fmt: skip


def frame() -> bytes:
    """The frame, signed as RFC 6979 says, so that it is the same every time."""
    algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    return seal(
        box=BOX,
        run=RUN,
        first=0,
        prev=chain.seed(RUN),
        entries=ENTRIES,
        gen=1,
        key_id=signing.key_id(SPKI),
        sign=lambda message: KEY.sign(message, algorithm),
    )


def facts() -> Iterator[tuple[str, str]]:
    """Name and value of every intermediate result that the page shows."""
    links = chain.links(chain.seed(RUN), 0, ENTRIES)
    yield "public key (SubjectPublicKeyInfo)", SPKI.hex()
    yield "key id", signing.key_id(SPKI).hex()
    yield "h[-1]", chain.seed(RUN).hex()
    yield "h[0]", links[0].hex()
    yield "h[1]", links[1].hex()


def dump(data: bytes) -> str:
    """Offset, 32 bytes in hex, and what of them is printable ASCII."""
    rows = [data[at : at + 32] for at in range(0, len(data), 32)]
    shown = ["".join(chr(byte) if 32 <= byte < 127 else "." for byte in row) for row in rows]
    return "\n".join(f"{at * 32:04x}  {row.hex():64}  {text}" for at, (row, text) in enumerate(zip(rows, shown, strict=True)))


def block() -> str:
    """What stands between the page's marks."""
    lines = [f"{name}\n    {value}" for name, value in facts()]
    return "```text\n" + "\n".join(lines) + "\n\n" + dump(frame()) + "\n```"


if __name__ == "__main__":
    sys.stdout.write(block() + "\n")
