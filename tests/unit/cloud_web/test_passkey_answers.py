"""What a browser may send in place of a passkey: never more than a refusal, and never twice."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloud.errors import Refused
from cloud.people.models import Passkey
from cloud.people.passkeys import Site, _checked_new, _checked_use
from tests.unit.cloud_web.office import PASSWORD

Token = Callable[[str], str]

SITE = Site("staff.test", "http://staff.test", "Galil")
BEGUN = {"challenge": "AAAA"}
GARBAGE: list[Any] = [
    {},
    {"credential": None},
    {"credential": []},
    {"credential": {"id": 7}},
    {"credential": {"id": "!!!"}},
    {"credential": {"id": "A" * 5000}},
    {"credential": {"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": {}}},
    {
        "credential": {
            "id": "AAAA",
            "rawId": "AAAA",
            "type": "public-key",
            "response": {"clientDataJSON": "e30", "attestationObject": "oA"},
        }
    },
]

leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["AAAA", "public-key", "e30", "oA"])
names = st.sampled_from(
    ["id", "rawId", "type", "response", "clientDataJSON", "attestationObject", "authenticatorData", "signature"]
)
answers = st.dictionaries(names, leaves | st.dictionaries(names, leaves, max_size=5), max_size=6)


@given(answers)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_no_answer_of_a_browser_is_more_than_a_refusal(answer: dict[str, Any]) -> None:
    row = Passkey(public_key=b"\xa0", sign_count=0)
    for check in (lambda: _checked_new(SITE, BEGUN, answer), lambda: _checked_use(SITE, BEGUN, answer, row)):
        with pytest.raises(Refused, match="passkey_bad"):
            check()


async def test_garbage_signs_nobody_in(anyone: httpx.AsyncClient) -> None:
    await anyone.get("/sign-in")
    for garbage in GARBAGE:
        assert "challenge" in (await anyone.post("/sign-in/passkey/begin", json={})).json()
        answer = await anyone.post("/sign-in/passkey/finish", json=garbage)
        assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_passkey"), garbage
    assert (await anyone.post("/sign-in/passkey/finish", json=[1])).status_code == 422
    assert (await anyone.get("/receipts")).status_code == 303


async def test_nothing_is_finished_that_was_not_begun_in_this_browser(anyone: httpx.AsyncClient) -> None:
    assert (await anyone.post("/sign-in/passkey/begin", json={})).status_code == 303
    await anyone.get("/sign-in")
    assert (await anyone.post("/sign-in/passkey/finish", json=GARBAGE[-1])).status_code == 401


async def test_garbage_makes_no_passkey_and_forms_need_their_token(noa: httpx.AsyncClient, token: Token) -> None:
    csrf = {"x-csrf-token": token((await noa.get("/me")).text)}
    for garbage in GARBAGE:
        assert (await noa.post("/me/passkeys/begin", json={}, headers=csrf)).status_code == 200
        assert (await noa.post("/me/passkeys/finish", json=garbage, headers=csrf)).status_code == 422, garbage
    for path in ("/me/passkeys/begin", "/me/passkeys/finish", "/me/prove/passkey/begin"):
        assert (await noa.post(path, json={})).status_code == 403
    for path, fields in (
        ("/me/prove", {"password": PASSWORD}),
        ("/me/sessions/others/end", {}),
        ("/people/noa/pin", {"pin": "4711"}),
    ):
        assert (await noa.post(path, data=fields)).status_code == 403


async def test_bare_address_has_no_passkeys(anyone: httpx.AsyncClient) -> None:
    there = {"host": "127.0.0.1:8091"}
    assert "data-passkey" not in (await anyone.get("/sign-in", headers=there)).text
    assert (await anyone.post("/sign-in/passkey/begin", json={}, headers=there)).status_code == 404
    assert "data-passkey" in (await anyone.get("/sign-in")).text
