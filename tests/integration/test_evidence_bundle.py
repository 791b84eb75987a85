"""A receipt is handed over as one file, and a stranger proves it with the box's public key and nothing else."""

import json
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from sync_protocol.bundle.form import MANIFEST, RECEIPT, canonical
from sync_protocol.errors import BundleFault, TextFault
from tests.integration.handing_over import REF, exported, members_of, packed, pem, proved


async def test_stranger_proves_every_field(sessions, box, demo, hand_over) -> None:
    found = proved(await hand_over(sessions, box), pem(box))
    assert found.report.problems == []
    assert [(one.line, one.field, one.problems) for one in found.report.fields if one.problems] == []
    assert {one.field for one in found.report.fields} >= {"order", "document", "identity", "lot", "expiry", "quantity"}
    assert (found.report.ok, found.report.ref, found.box) == (True, REF, box.id)


async def test_same_receipt_is_the_same_file(sessions, box, demo, hand_over, clock) -> None:
    first = await hand_over(sessions, box)
    assert await exported(sessions, clock) == first


def test_another_boxs_key_proves_nothing(bundle, make_box) -> None:
    found = proved(bundle, pem(make_box(2)))
    assert not found.report.ok
    assert {one.signature for one in found.report.fields} == {"missing"}
    assert any(problem.startswith("frame_of_unknown_key") for problem in found.report.problems)


def test_no_key_is_no_key(bundle) -> None:
    with pytest.raises(TextFault):
        proved(bundle, b"not a key")
    assert not proved(bundle).report.ok


def certificate(subject: str, key, issuer: str, signer, *, ca: bool, clock) -> bytes:
    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    made = x509.CertificateBuilder(name(issuer), name(subject), key, 7, clock.now, clock.now + timedelta(days=1))
    made = made.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    return made.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM)


def test_authority_vouches_for_the_key_by_the_boxs_certificate(bundle, signer, clock) -> None:
    box, members = signer, members_of(bundle)
    authority, stranger = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = certificate("tenant", authority.public_key(), "tenant", authority, ca=True, clock=clock)
    of_box = certificate(box.id, box.key.public_key(), "tenant", authority, ca=False, clock=clock)
    of_other = certificate("another", box.key.public_key(), "tenant", authority, ca=False, clock=clock)
    forged = certificate(box.id, stranger.public_key(), "tenant", stranger, ca=False, clock=clock)
    assert proved(packed(members | {"certificates/box.pem": of_box}, honest=True), ca).report.ok
    assert proved(bundle, of_box).report.ok
    for wrong in (of_other, forged):
        with pytest.raises(TextFault, match="issued none"):
            proved(packed(members | {"certificates/box.pem": wrong}, honest=True), ca)
    with pytest.raises(TextFault, match="issued none"):
        proved(bundle, ca)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_byte_of_any_member_is_refused(bundle, signer, data) -> None:
    members = members_of(bundle)
    name = data.draw(st.sampled_from(sorted(members)))
    place = data.draw(st.integers(0, len(members[name]) - 1))
    bit = 1 << data.draw(st.integers(0, 7))
    members[name] = members[name][:place] + bytes([members[name][place] ^ bit]) + members[name][place + 1 :]
    with pytest.raises(BundleFault) as caught:
        proved(packed(members), pem(signer))
    assert caught.value.member == name


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_byte_that_the_box_signed_is_named_whoever_makes_the_manifest_anew(bundle, signer, data) -> None:
    members = members_of(bundle)
    name = data.draw(st.sampled_from([each for each in sorted(members) if each.startswith(("frames/", "chain/"))]))
    place = data.draw(st.integers(0, len(members[name]) - 1))
    members[name] = members[name][:place] + bytes([members[name][place] ^ 1]) + members[name][place + 1 :]
    report = proved(packed(members, honest=True), pem(signer)).report
    assert not report.ok
    assert report.problems


PLACES = {
    "line": (lambda said: said["lines"][0].update(quantity="99.000"), "line_differs:1"),
    "lot": (lambda said: said["lines"][0].update(lot="L-78"), "line_differs:1"),
    "head": (lambda said: said["receipt"].update(operator="omar"), "head_differs:operator"),
    "order": (lambda said: said["receipt"].update(order_ref="PO-1"), "head_differs:order_ref"),
    "opened": (lambda said: said["receipt"].update(opened_at="2026-11-22T00:00:00+00:00"), "head_differs:opened_at"),
    "step gone": (lambda said: said["steps"].pop(1), "step_missing:1"),
    "line gone": (lambda said: (said["lines"].clear(), said["evidence"].clear()), "line_missing:1"),
    "evidence gone": (lambda said: said["evidence"].pop(), "evidence_missing:1.quantity"),
    "evidence twice": (lambda said: said["evidence"].append(said["evidence"][-1]), "evidence_twice:1.quantity"),
    "state": (lambda said: said["receipt"].update(posted_by="omar"), "line_moves_differ:1"),
    "stock": (lambda said: said["lines"][0].update(stock_quantity="99"), "line_posted_differs:1"),
    "move": (lambda said: said["moves"][0].update(quantity="99"), "line_posted_differs:1"),
    "move's goods": (lambda said: said["moves"][0].update(product="SLM-FIL"), "line_moves_differ:1"),
    "move gone": (lambda said: said["moves"].clear(), "line_moves_missing:1"),
    "bucket": (lambda said: said["buckets"][0].update(quantity="99"), "line_buckets_differ:1"),
}


@pytest.mark.parametrize("name", PLACES)
def test_what_the_maker_says_otherwise_is_named(bundle, signer, name: str) -> None:
    change, problem = PLACES[name]
    members = members_of(bundle)
    said = json.loads(members[RECEIPT])
    change(said)
    members[RECEIPT] = canonical(said)
    report = proved(packed(members, honest=True), pem(signer)).report
    assert not report.ok
    assert problem in report.problems


@pytest.mark.parametrize("column", ["value", "unit", "mode", "by", "reason", "formula", "run", "seq", "step_seq"])
def test_each_column_of_evidence_is_compared(bundle, signer, column: str) -> None:
    members = members_of(bundle)
    said = json.loads(members[RECEIPT])
    row = next(one for one in said["evidence"] if one["field"] == "quantity")
    old = row[column]
    row[column] = old + 1 if isinstance(old, int) else "override" if column == "mode" else "f" * 32 if column == "run" else "x"
    members[RECEIPT] = canonical(said)
    report = proved(packed(members, honest=True), pem(signer)).report
    assert "differs_from_step" in next(one for one in report.fields if one.field == "quantity").problems


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said.update(receipt=[]),
        lambda said: said["lines"].append(7),
        lambda said: said["lines"][0].update(number="one"),
        lambda said: said["evidence"][0].update(line=9),
        lambda said: said.update(received=[{}]),
    ],
)
def test_another_form_is_no_bundle(bundle, signer, change) -> None:
    members = members_of(bundle)
    said = json.loads(members[RECEIPT])
    change(said)
    members[RECEIPT] = canonical(said)
    with pytest.raises(BundleFault):
        proved(packed(members, honest=True), pem(signer))


def test_members_that_are_missing_twice_or_beside_are_refused(bundle, signer) -> None:
    members = members_of(bundle)
    for changed in (members | {"more.txt": b"more"}, {name: data for name, data in members.items() if name != "README.txt"}):
        with pytest.raises(BundleFault):
            proved(packed(changed), pem(signer))
    with pytest.raises(BundleFault):
        proved(packed({name: data for name, data in members.items() if name != MANIFEST}), pem(signer))
    for cut in (b"", bundle[:100], bundle[:-30]):
        with pytest.raises(BundleFault):
            proved(cut, pem(signer))
