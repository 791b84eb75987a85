"""What a webhook says and how it is signed, and which addresses it may go to."""

import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from cloud.errors import Refused, SettingsFault
from cloud.hooks import message, signing
from cloud.hooks.endpoints import checked_url
from cloud.hooks.reach import OutOfReach, Reach
from cloud.kernel.models import Event


def event(**more: object) -> Event:
    facts = {"id": 7, "at": datetime(2026, 11, 22, 8, tzinfo=UTC), "actor_kind": "user", "actor": "noa", "action": "create"}
    return Event(**{**facts, "kind": "deal", "ref": "D-1", "changes": {}, "chain": None, **more})


def test_signature_is_the_one_of_the_specifications_example() -> None:
    """The worked example that libraries of the Standard Webhooks specification test themselves with."""
    found = signing.headers(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        message="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
    )
    assert found == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_new_secret_has_the_length_that_the_specification_asks_for() -> None:
    secret = signing.new_secret(lambda length: bytes(range(length)))
    assert secret.startswith("whsec_")
    assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"))) <= 64


def test_two_secrets_sign_side_by_side() -> None:
    one, two = ("whsec_" + base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
    both = signing.headers([one, two], message="m", timestamp=1, body=b"x")["webhook-signature"].split(" ")
    assert both == [signing.headers([key], message="m", timestamp=1, body=b"x")["webhook-signature"] for key in (one, two)]


@pytest.mark.parametrize(
    ("action", "name"),
    [("create", "deal.created"), ("change", "deal.changed"), ("archive", "deal.archived"), ("win", "deal.win")],
)
def test_type_is_the_kind_and_what_happened(action: str, name: str) -> None:
    assert message.type_of(event(action=action)) == name


@pytest.mark.parametrize(
    ("patterns", "name", "wanted"),
    [
        (["deal.*"], "deal.created", True),
        (["deal.*"], "dealer.created", False),
        (["receipt.post"], "receipt.post", True),
        (["receipt.post"], "receipt.cancel", False),
        (["*.created"], "party.created", True),
        (["*.*"], "x.y", True),
        (["a.b", "deal.*"], "deal.win", True),
    ],
)
def test_pattern_matches_kind_and_action(patterns: list[str], name: str, wanted: bool) -> None:
    assert message.matches(patterns, name) is wanted


@pytest.mark.parametrize("texts", [[], [""], ["deal"], ["deal.*.x"], ["de*l.x"], ["Deal.x"], ["a.b"] * 1 + ["x" * 80 + ".y"]])
def test_pattern_that_cannot_match_is_refused(texts: list[str]) -> None:
    with pytest.raises(Refused) as refused:
        message.checked_patterns(texts)
    assert refused.value.code == "hook_pattern"


def test_star_alone_is_everything() -> None:
    assert message.checked_patterns(["*", " deal.* ", "deal.*"]) == ["*.*", "deal.*"]


def test_body_says_what_happened_in_plain_json() -> None:
    said = json.loads(message.body(event(), {"name": [None, "עסקה"], "version": [1, 2]}))
    assert said == {
        "id": "evt_7", "type": "deal.created", "at": "2026-11-22T08:00:00.000000Z", "kind": "deal", "ref": "D-1", "version": 2,
        "changes": {"name": [None, "עסקה"], "version": [1, 2]}, "actor": {"kind": "user", "name": "noa"}, "chain": None,
    }  # fmt: skip


def test_change_that_is_too_long_is_told_without_its_values() -> None:
    said = message.body(event(), {"text": [None, "x" * message.MAX_BODY]})
    assert len(said) < 1000
    assert json.loads(said)["changes_left_out"] is True


@pytest.mark.parametrize(
    "text",
    [
        "ftp://a.example/x", "file:///etc/passwd", "a.example/x", "http://", "https://user:pw@a.example/", "http://a.example/#x",
        "javascript:alert(1)", "https://a.example/" + "x" * 500, "http://[::1", "",
    ],
)  # fmt: skip
def test_address_that_is_no_plain_web_address_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        checked_url(text)
    assert refused.value.code == "hook_url"


@pytest.mark.parametrize("text", ["https://a.example/hook?x=1", "http://a.example:8080/"])
def test_address_of_the_web_is_taken(text: str) -> None:
    assert checked_url(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0",  # noqa: S104 - nothing is bound
        "10.0.0.1", "172.16.5.5", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "224.0.0.1", "255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::", "fec0::1",
    ],
)  # fmt: skip
def test_address_inside_is_out_of_reach(text: str) -> None:
    assert not Reach().allows(ip_address(text))


@pytest.mark.parametrize("text", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822"])
def test_address_of_the_open_network_is_in_reach(text: str) -> None:
    assert Reach().allows(ip_address(text))


def test_setting_opens_a_network_of_the_house_and_no_other() -> None:
    reach = Reach.of(["10.1.0.0/16"])
    assert reach.allows(ip_address("10.1.2.3"))
    assert reach.allows(ip_address("::ffff:10.1.2.3"))
    assert not reach.allows(ip_address("10.2.0.1"))
    with pytest.raises(SettingsFault):
        Reach.of(["10.1.2.3/16"])


async def test_only_allowed_addresses_of_a_name_are_gone_to() -> None:
    async def both(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.1", "93.184.216.34", "fe80::1%eth0"]

    async def inside(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    async def nobody(_host: str, _port: int) -> Sequence[str]:
        raise OSError

    assert await Reach(resolve=both).addresses("a.example", 80) == ["93.184.216.34"]
    for resolve, code in ((inside, "not_allowed"), (nobody, "not_resolved")):
        with pytest.raises(OutOfReach) as out:
            await Reach(resolve=resolve).addresses("a.example", 80)
        assert out.value.code == code
