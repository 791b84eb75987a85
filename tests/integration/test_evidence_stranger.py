"""A verifier that a stranger wrote from docs/EVIDENCE.md, `By hand`: hashes, ECDSA, a JSON reader, and no line of ours."""

import base64
import hashlib
import io
import json
import zipfile
from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KILOGRAMS = {"kg": Decimal(1), "g": Decimal("0.001"), "t": Decimal(1000), "{pcs}": Decimal(1), "1": Decimal(1)}
IN_STEP = {
    "document": ("open", "document"),
    "identity": ("item", "identity"),
    "lot": ("item", "lot"),
    "expiry": ("item", "expiry"),
    "quantity": ("amount", "quantity"),
}


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def canonical(value) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def read_file(data: bytes) -> tuple[dict, dict]:
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    raw = members.pop("manifest.json")
    manifest = json.loads(raw)
    assert canonical(manifest) == raw
    assert (manifest["format"], manifest["v"]) == ("tallybox-receipt-bundle", 1)
    content = {key: value for key, value in manifest.items() if key != "digest"}
    assert sha256(canonical(content)).hex() == manifest["digest"]
    assert members.keys() == manifest["members"].keys()
    for name, named in manifest["members"].items():
        assert (len(members[name]), sha256(members[name]).hex()) == (named["bytes"], named["sha256"]), name
    return manifest, members


def prove_frames(manifest: dict, members: dict, key: ec.EllipticCurvePublicKey) -> dict:
    """(run, seq) to the entry, for all entries that the key signed in a chain without a break."""
    key_id = sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))[:16]
    entries, hashed, headers = {}, {}, {}
    for name, frame in members.items():
        if not name.startswith("frames/"):
            continue
        length = int.from_bytes(frame[:2], "big")
        signature, named_key, body = frame[2 : 2 + length], frame[2 + length : 18 + length], frame[18 + length :]
        assert named_key == key_id, name
        kind = b"application/vnd.tallybox.batch.v1"
        signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)
        key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
        line, *rest = body.split(b"\n")
        header = json.loads(line)
        run, first, until = name.removeprefix("frames/").removesuffix(".frame").split("-")
        assert (header["box"], header["run"], header["first"]) == (manifest["box"], run, int(first))
        assert len(rest) == header["n"] == int(until) - int(first)
        digest = bytes.fromhex(header["prev"])
        for seq, entry in enumerate(rest, header["first"]):
            digest = sha256(digest + seq.to_bytes(8, "big") + entry)
            entries[run, seq], hashed[run, seq] = entry, digest
        assert digest.hex() == header["last"]
        headers.setdefault(run, set()).add(line)
    for run, lines in headers.items():
        chain = members[f"chain/{run}.txt"].splitlines()
        assert lines <= set(chain)
        reached, digest = 0, sha256(b"BOX1-RUN" + bytes.fromhex(run))
        for header in map(json.loads, chain):
            before = digest if header["first"] == reached else hashed[run, header["first"] - 1]
            assert header["first"] <= reached
            assert header["prev"] == before.hex()
            reached, digest = header["first"] + header["n"], bytes.fromhex(header["last"])
    return {place: json.loads(entry) for place, entry in entries.items()}


def read_steps(said: dict, entries: dict) -> dict:
    steps = {}
    for one in said["steps"]:
        entry = entries[one["run"], one["seq"]]
        assert (entry["t"], entry["job"], entry["n"]) == ("step", said["receipt"]["uid"], one["n"])
        steps[one["run"], one["seq"]] = entry
    numbers = {entry["n"] for entry in steps.values()} | set(said["faults"])
    assert set(range(max(numbers) + 1)) == numbers
    return steps


def check_value(row: dict, steps: dict, entries: dict) -> None:
    step = steps[row["step_run"], row["step_seq"]]
    reading = None if row["run"] is None else f"{row['run']}:{row['seq']}"
    assert step["by"] == row["by"]
    if row["field"] == "order":
        assert (step["step"], step["data"]["order"], step["data"].get("scan")) == ("open", row["value"], reading)
    else:
        kind, name = IN_STEP[row["field"]]
        given = step["data"][name]
        assert (step["step"], step["data"].get("line")) == (kind, row["line"])
        for key in ("value", "unit", "mode", "reason", "formula"):
            assert given.get(key) == row[key], key
        assert given.get("reading") == reading
    if row["mode"] == "device":
        check_reading(row, entries[row["run"], row["seq"]])


def check_reading(row: dict, entry: dict) -> None:
    assert entry["t"] == "reading"
    assert base64.b64decode(entry["raw"])
    if row["field"] == "quantity":
        assert Decimal(entry["value"]) * KILOGRAMS[entry["unit"]] == Decimal(row["value"]) * KILOGRAMS[row["unit"]]
    else:
        assert row["value"] in {entry["value"], *entry["details"].values()}


def check_lines(said: dict) -> None:
    values = {(row["line"], row["field"]): row for row in said["evidence"]}
    for line in said["lines"]:
        quantity = values[line["number"], "quantity"]
        assert (line["quantity"], line["unit"]) == (quantity["value"], quantity["unit"])
        for field in ("lot", "expiry"):
            found = values.get((line["number"], field))
            assert line[field] == (found["value"] if found else None)
        moves = [move for move in said["moves"] if move["receipt_line"] == line["number"]]
        if line["standing"] == "confirmed" and said["receipt"]["state"] == "posted" and line["stock_quantity"] is not None:
            exact = Decimal(line["quantity"]) * KILOGRAMS[line["unit"]] / KILOGRAMS[line["product_unit"]]
            assert Decimal(line["stock_quantity"]) == exact.quantize(Decimal("0.000001"), ROUND_HALF_EVEN)
            assert sum(Decimal(each["quantity"]) for each in moves if each["from_bucket"] is None) == Decimal(
                line["stock_quantity"]
            )
            buckets = sum(Decimal(each["quantity"]) for each in said["buckets"] if each["line"] == line["number"])
            assert buckets == Decimal(line["stock_quantity"])


def check_log(log: dict) -> None:
    names = ("id", "at", "actor_kind", "actor", "via", "action", "kind", "ref", "changes", "reason", "request_id", "chain")
    for event in log["events"]:
        content = {name: event[name] for name in names}
        if "." not in content["at"]:
            content["at"] = content["at"].replace("+00:00", ".000000+00:00")
        assert sha256(event["before"].encode() + b"\n" + canonical(content)).hex() == event["hash"]


def verify(data: bytes, key: ec.EllipticCurvePublicKey) -> int:
    """How many values were proved; any AssertionError, KeyError or InvalidSignature: it does not hold."""
    manifest, members = read_file(data)
    said = json.loads(members["receipt.json"])
    assert (said["receipt"]["uid"], said["receipt"]["box_id"]) == (manifest["uid"], manifest["box"])
    entries = prove_frames(manifest, members, key)
    steps = read_steps(said, entries)
    for row in said["evidence"]:
        check_value(row, steps, entries)
    check_lines(said)
    check_log(json.loads(members["audit.json"]))
    return len(said["evidence"])


def test_a_stranger_proves_the_receipt_from_the_document_alone(bundle, signer, make_box) -> None:
    assert verify(bundle, signer.key.public_key()) >= 6
    with pytest.raises((AssertionError, InvalidSignature)):
        verify(bundle, make_box(2).key.public_key())
