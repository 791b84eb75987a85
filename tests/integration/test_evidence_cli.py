"""The commands that hand a receipt over and prove it, as a person calls them."""

import asyncio
import json
from pathlib import Path

import pytest

from cloud.db.migrate import migrate
from tests.integration.commanding import Ended, tallybox
from tests.integration.conftest import TestBox
from tests.integration.handing_over import REF, members_of, packed, pem

NO, WRONG, SETUP = 1, 2, 3

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def files(tmp_path: Path, bundle: bytes, signer: TestBox) -> Path:
    (tmp_path / "receipt.zip").write_bytes(bundle)
    (tmp_path / "box.pem").write_bytes(pem(signer))
    return tmp_path


def verify(folder: Path, *more: str) -> Ended:
    return tallybox("verify", "bundle", folder / "receipt.zip", "--key", folder / "box.pem", *more)


def test_a_bundle_is_proved_without_a_database(files: Path) -> None:
    told = verify(files, "--json")
    assert (told.code, told.json["ok"], told.json["ref"]) == (0, True, REF)
    assert all(one["problems"] == [] for one in told.json["fields"])


def test_what_does_not_hold_is_said_and_ends_with_one(files: Path, bundle: bytes) -> None:
    members = members_of(bundle)
    said = json.loads(members["receipt.json"])
    said["lines"][0]["lot"] = "L-99"
    members["receipt.json"] = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    (files / "receipt.zip").write_bytes(packed(members))
    refused = verify(files, "--json")
    assert (refused.code, refused.json["ok"], refused.json["member"]) == (NO, False, "receipt.json")
    (files / "receipt.zip").write_bytes(packed(members, honest=True))
    for_people = verify(files)
    assert (for_people.code, "DOES NOT VERIFY" in for_people.out, "line_differs:1" in for_people.out) == (NO, True, True)


def test_a_call_that_cannot_be_carried_out_says_why(files: Path) -> None:
    assert tallybox("verify", "bundle", files / "receipt.zip").code == WRONG
    assert tallybox("verify", "bundle", files / "none.zip", "--key", files / "box.pem").code == SETUP
    url = f"sqlite:///{files / 'cloud.db'}"
    asyncio.run(migrate(url))
    missing = tallybox("export", "receipt", "GR-1999-000001", "--db", url, "--out", files / "out.zip")
    assert (missing.code, (files / "out.zip").exists(), list(files.glob("*.part"))) == (SETUP, False, [])
    assert tallybox("export", "order", "PO-1", "--db", url, "--out", files / "out.zip").code == WRONG
