"""Signing in at the firm's provider: a real one on this machine, honest and otherwise."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey

from cloud.db.engine import Sessions
from cloud.errors import SettingsFault
from cloud.kernel.access import Access
from cloud.kernel.actor import Actor, Taken
from cloud.people import linking
from cloud.people.accounts import user_by_login
from cloud.people.changing import Profile, set_active, set_profile
from cloud.people.provider import Provider
from cloud.web import StaffDeps, create_staff_app
from tests.integration.conftest import TurnedClock
from tests.unit.cloud_web.oidc_peer import CLIENT, SECRET, Peer, Twist, peer_running, public_key_as_secret

MAIL = "noa@galil.example"


@pytest.fixture
async def peer(now: TurnedClock) -> AsyncIterator[Peer]:
    async with peer_running(now) as found:
        yield found


@pytest.fixture
async def client(deps: StaffDeps, peer: Peer) -> AsyncIterator[httpx.AsyncClient]:
    settings = replace(deps.settings, provider=Provider(peer.issuer, CLIENT, SECRET))
    transport = httpx.ASGITransport(create_staff_app(replace(deps, settings=settings)))
    async with httpx.AsyncClient(transport=transport, base_url="http://staff.test") as client:
        yield client


@pytest.fixture
def taken(now: TurnedClock) -> Taken:
    return Taken(Actor.user("root", "admin"), now.now, access=Access.all())


@pytest.fixture
async def known(office: Sessions, taken: Taken) -> None:
    """An admin entered the address of Noa."""
    async with office.write() as session:
        await set_profile(session, "noa", Profile("Noa", "en", MAIL), taken)


async def _there(client: httpx.AsyncClient, query: str = "") -> str:
    """Off to the provider and through its page; gives the address that it sends the browser back to."""
    left = await client.get(f"/sign-in/provider{query}")
    assert left.status_code == 303, left.text
    async with httpx.AsyncClient() as outside:
        sent = await outside.get(left.headers["location"])
    assert sent.status_code == 302, sent.text
    return sent.headers["location"]


async def _sign_in(client: httpx.AsyncClient, query: str = "") -> str:
    """The whole way; gives where it ended."""
    answer = await client.get(await _there(client, query))
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def _subject(office: Sessions) -> str | None:
    async with office.read() as session:
        user = await user_by_login(session, "noa")
        assert user is not None
        return user.oidc_subject


async def test_first_time_by_verified_mail_then_by_subject_alone(
    client: httpx.AsyncClient, peer: Peer, office: Sessions, known: None
) -> None:
    assert "/sign-in/provider" in (await client.get("/sign-in")).text
    assert await _sign_in(client, "?next=/receipts") == "/receipts"
    assert (await client.get("/receipts")).status_code == 200
    assert await _subject(office) == "u-1"
    peer.person |= {"email": "other@galil.example", "email_verified": False}
    assert await _sign_in(client) == "/"


LIES: dict[str, Twist] = {
    "nonce of another sign-in": lambda claims: claims.update(nonce="x"),
    "no nonce": lambda claims: claims.pop("nonce"),
    "for another client": lambda claims: claims.update(aud="somebody-else"),
    "for another client as well": lambda claims: claims.update(aud=[CLIENT, "somebody-else"]),
    "bought by another client": lambda claims: claims.update(azp="somebody-else"),
    "over": lambda claims: claims.update(exp=claims["iat"] - 61),
    "not made yet": lambda claims: claims.update(iat=claims["iat"] + 120),
    "of another issuer": lambda claims: claims.update(iss="https://other.example"),
    "of nobody": lambda claims: claims.pop("sub"),
    "of a number": lambda claims: claims.update(sub=7),
}


async def test_what_the_provider_says_is_checked(client: httpx.AsyncClient, peer: Peer, office: Sessions, known: None) -> None:
    for name, lie in LIES.items():
        peer.twist = lie
        assert await _sign_in(client) == "/sign-in?problem=provider_wrong", name
    assert await _subject(office) is None
    peer.twist = lambda _: None
    assert await _sign_in(client) == "/"


async def test_only_the_providers_key_signs(client: httpx.AsyncClient, peer: Peer, known: None) -> None:
    peer.signs_with = RSAKey.generate_key(2048, {"kid": "a"}, private=True)
    assert await _sign_in(client) == "/sign-in?problem=provider_wrong"
    peer.forge = public_key_as_secret(peer)
    assert await _sign_in(client) == "/sign-in?problem=provider_wrong"


STRANGERS: dict[str, dict[str, Any]] = {
    "mail not verified": {"email_verified": False},
    "verified as a text": {"email_verified": "true"},
    "nothing said of it": {"email_verified": None},
    "mail that no admin entered": {"email": "noa@evil.example"},
    "no mail": {"email": None},
}


async def test_nobody_gets_an_account_by_themselves(
    client: httpx.AsyncClient, peer: Peer, office: Sessions, known: None
) -> None:
    honest = dict(peer.person)
    for name, said in STRANGERS.items():
        peer.person = {**honest, **said}
        assert await _sign_in(client) == "/sign-in?problem=provider_unknown", name
    assert await _subject(office) is None
    page = await client.get("/sign-in?problem=provider_unknown", headers={"accept-language": "en"})
    assert "No account here is tied to you." in page.text


async def test_mail_ties_once_and_another_subject_does_not_get_in(
    client: httpx.AsyncClient, peer: Peer, office: Sessions, taken: Taken, known: None
) -> None:
    await _sign_in(client)
    peer.person["sub"] = "u-2"
    assert await _sign_in(client) == "/sign-in?problem=provider_unknown"
    async with office.write() as session:
        await linking.unlink(session, "noa", taken)
    assert await _sign_in(client) == "/"
    assert await _subject(office) == "u-2"


async def test_shut_account_stays_shut(client: httpx.AsyncClient, office: Sessions, taken: Taken, known: None) -> None:
    await _sign_in(client)
    async with office.write() as session:
        await set_active(session, "noa", taken, active=False)
    assert await _sign_in(client) == "/sign-in?problem=provider_unknown"


async def test_answer_is_good_once_in_time_and_in_the_browser_that_left(
    client: httpx.AsyncClient, known: None, now: TurnedClock
) -> None:
    back = await _there(client)
    mine = dict(client.cookies)
    client.cookies.clear()
    elsewhere = await client.get(back)
    assert elsewhere.headers["location"] == "/sign-in?problem=provider_wrong"
    client.cookies.update(mine)
    forged = back.replace("state=", "state=x")
    assert (await client.get(forged)).headers["location"] == "/sign-in?problem=provider_wrong"
    assert (await client.get(back)).headers["location"] == "/"
    assert (await client.get(back)).headers["location"] == "/sign-in?problem=provider_wrong"
    late = await _there(client)
    now.go(minutes=10)
    assert (await client.get(late)).headers["location"] == "/sign-in?problem=provider_wrong"


async def test_answer_in_the_name_of_another_provider_is_not_taken(client: httpx.AsyncClient, known: None) -> None:
    back = (await _there(client)).replace("iss=http", "iss=https")
    assert (await client.get(back)).headers["location"] == "/sign-in?problem=provider_wrong"


async def test_refusal_and_outage_are_told_apart(client: httpx.AsyncClient, peer: Peer, known: None) -> None:
    peer.refuses = True
    assert await _sign_in(client) == "/sign-in?problem=provider_refused"
    peer.status = 503
    assert (await client.get("/sign-in/provider")).headers["location"] == "/sign-in?problem=provider_away"
    peer.status, peer.discovery = 200, {"issuer": "https://other.example"}
    assert (await client.get("/sign-in/provider")).headers["location"] == "/sign-in?problem=provider_wrong"
    peer.discovery = {"token_endpoint": "http://other.example/token"}
    assert (await client.get("/sign-in/provider")).headers["location"] == "/sign-in?problem=provider_wrong"


async def test_proof_by_the_provider_needs_a_fresh_one_there(
    client: httpx.AsyncClient, peer: Peer, now: TurnedClock, known: None
) -> None:
    await _sign_in(client)
    assert (
        (await client.post("/me/passkeys/1/remove", headers={"x-csrf-token": await _csrf(client)}))
        .headers["location"]
        .startswith("/me/prove")
    )
    peer.person["auth_time"] = int((now.now - timedelta(minutes=11)).timestamp())
    assert await _sign_in(client, "?again=1&next=/me") == "/sign-in?problem=provider_wrong"
    assert (peer.asked[-1]["prompt"], peer.asked[-1]["max_age"]) == ("login", "0")
    peer.person["auth_time"] = int(now.now.timestamp())
    assert await _sign_in(client, "?again=1&next=/me") == "/me"
    assert (await client.post("/me/passkeys/1/remove", headers={"x-csrf-token": await _csrf(client)})).status_code == 404


async def _csrf(client: httpx.AsyncClient) -> str:
    return (await client.get("/me")).text.partition('name="csrf" value="')[2].partition('"')[0]


async def test_what_is_asked_of_the_provider(client: httpx.AsyncClient, peer: Peer) -> None:
    left = await client.get("/sign-in/provider")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(left.headers["location"]).query).items()}
    assert (asked["response_type"], asked["code_challenge_method"], asked["client_id"]) == ("code", "S256", CLIENT)
    assert asked["redirect_uri"] == "http://staff.test/sign-in/provider/back"
    assert {len(asked["state"]), len(asked["nonce"]), len(asked["code_challenge"])} == {43}


async def test_without_a_provider_there_is_no_such_way(anyone: httpx.AsyncClient) -> None:
    for path in ("/sign-in/provider", "/sign-in/provider/back?state=x&code=y"):
        assert (await anyone.get(path)).status_code == 404
    assert "/sign-in/provider" not in (await anyone.get("/sign-in")).text


REFUSED: list[Callable[[], Provider]] = [
    lambda: Provider("http://provider.example", CLIENT),
    lambda: Provider("provider.example", CLIENT),
    lambda: Provider("https://provider.example", ""),
]


def test_provider_needs_tls_and_a_client() -> None:
    for made in REFUSED:
        with pytest.raises(SettingsFault, match="oidc_issuer"):
            made()
    assert "s3cret" not in repr(Provider("https://provider.example", CLIENT, SECRET))
