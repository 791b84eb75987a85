"""Keys of programs: what one opens, when it stops, and what a wrong one can tell."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.clock import EPOCH
from cloud.db.engine import Sessions
from cloud.errors import Refused
from cloud.kernel.access import Access, Way
from cloud.kernel.actor import Actor, Taken
from cloud.people import keys
from cloud.people.accounts import NewUser, create_user, user_by_login
from cloud.people.changing import set_active
from cloud.people.keys import MAX_WATCHED, NewKey, Rates, key_of, make_key, note_use, revoke_key
from cloud.people.models import ApiKey, Role
from tests.integration.conftest import TurnedClock

DAY = timedelta(days=1)


@pytest.fixture
async def taken(sessions: Sessions, clock: TurnedClock) -> Taken:
    taken = Taken(Actor.user("root", "admin"), clock.now, access=Access.all())
    async with sessions.write() as session:
        await create_user(session, NewUser("root", "Root", Role.ADMIN), taken)
        await create_user(session, NewUser("noa", "Noa", Role.SALES), taken)
    return taken


async def _make(sessions: Sessions, taken: Taken, **named: object) -> tuple[ApiKey, str]:
    async with sessions.write() as session:
        return await make_key(session, NewKey("erp", taken.at + DAY, **named), taken)  # type: ignore[arg-type]


async def _opens(sessions: Sessions, text: str, clock: TurnedClock) -> bool:
    async with sessions.read() as session:
        return await key_of(session, f"Bearer {text}", clock.now) is not None


async def test_key_acts_as_its_person_or_by_its_own_roles(sessions: Sessions, clock, taken: Taken) -> None:
    _, mine = await _make(sessions, taken, login="noa")
    row, own = await _make(sessions, taken, roles=(("technician", "galil"), ("technician", "negev")))
    async with sessions.read() as session:
        as_noa = await key_of(session, f"Bearer {mine}", clock.now)
        alone = await key_of(session, f"Bearer {own}", clock.now)
    assert as_noa is not None
    assert alone is not None
    assert (as_noa.actor.name, as_noa.actor.role, as_noa.access.may("lead", "write")) == ("noa", "sales", True)
    assert (alone.actor.name, alone.actor.role) == (f"key:{row.prefix}", "")
    assert alone.access.ways("device", "write") == (Way(site="galil"), Way(site="negev"))
    assert not alone.access.may("lead", "read")


async def test_key_stops_when_over_revoked_or_its_person_is_shut_out(sessions: Sessions, clock, taken: Taken) -> None:
    row, first = await _make(sessions, taken, login="noa")
    _, second = await _make(sessions, taken, login="noa")
    _, third = await _make(sessions, taken, roles=(("viewer", ""),))
    assert all([await _opens(sessions, text, clock) for text in (first, second, third)])
    async with sessions.write() as session:
        await revoke_key(session, row.prefix, taken)
        await revoke_key(session, row.prefix, taken)
    assert [await _opens(sessions, text, clock) for text in (first, second)] == [False, True]
    async with sessions.write() as session:
        await set_active(session, "noa", taken, active=False)
    assert [await _opens(sessions, text, clock) for text in (second, third)] == [False, True]
    clock.now += DAY
    assert not await _opens(sessions, third, clock)


async def test_wrong_key_is_compared_like_a_right_one(
    sessions: Sessions, clock, taken: Taken, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, good = await _make(sessions, taken, login="noa")
    compared: list[tuple[str, str]] = []
    real = keys.hmac.compare_digest
    monkeypatch.setattr(keys.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or real(a, b))
    secret = good.rpartition("_")[2]
    wrong = [f"Bearer tbk_{'0' * 10}_{secret}", f"Bearer {good[:-1]}{'0' if good[-1] != '0' else '1'}", "Bearer x", "", good]
    async with sessions.read() as session:
        assert [await key_of(session, header, clock.now) for header in wrong] == [None] * len(wrong)
    assert len(compared) == len(wrong)
    assert {(len(a), len(b)) for a, b in compared} == {(64, 64)}


async def test_only_the_hash_of_a_key_is_kept_and_its_use_once_a_minute(sessions: Sessions, clock, taken: Taken) -> None:
    row, text = await _make(sessions, taken, login="noa")
    assert text.rpartition("_")[2] not in str(vars(row))
    seen = []
    for seconds in (0, 59, 2):
        clock.go(seconds=seconds)
        async with sessions.read() as session:
            stored = await session.get_one(ApiKey, row.id)
        await note_use(sessions, stored, clock.now)
        async with sessions.read() as session:
            seen.append(((await session.get_one(ApiKey, row.id)).last_used_at or clock.now) == clock.now)
    assert seen == [True, False, True]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_key_of_the_wrong_form_is_refused(sessions: Sessions, taken: Taken) -> None:
    wrong = [
        (NewKey("", taken.at + DAY, login="noa"), "name_length"),
        (NewKey("a", taken.at, login="noa"), "key_life"),
        (NewKey("a", taken.at + keys.LONGEST_LIFE + DAY, login="noa"), "key_life"),
        (NewKey("a", taken.at + DAY, login="noa", rate=0), "key_rate"),
        (NewKey("a", taken.at + DAY), "key_for_whom"),
        (NewKey("a", taken.at + DAY, login="noa", roles=(("viewer", ""),)), "key_for_whom"),
    ]
    for new, code in wrong:
        with pytest.raises(Refused, match=code):
            async with sessions.write() as session:
                await make_key(session, new, taken)
    async with sessions.read() as session:
        assert (await user_by_login(session, "noa")) is not None


def test_key_may_be_used_at_its_rate_and_not_faster() -> None:
    rates = Rates()
    assert [rates.take("a", 3, EPOCH) for _ in range(4)] == [0, 0, 0, 20.0]
    assert rates.take("b", 3, EPOCH) == 0
    assert rates.take("a", 3, EPOCH + timedelta(seconds=19)) == pytest.approx(1)
    assert rates.take("a", 3, EPOCH + timedelta(seconds=21)) == 0
    assert rates.take("a", 3, EPOCH + timedelta(seconds=22)) > 0


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 20))
def test_in_any_minute_a_key_never_gets_twice_its_rate(gaps: list[float], rate: int) -> None:
    rates, now, taken = Rates(), EPOCH, []
    for gap in gaps:
        now += timedelta(seconds=gap)
        if rates.take("a", rate, now) == 0:
            taken.append(now)
    for first in taken:
        assert sum(first <= at < first + timedelta(seconds=60) for at in taken) <= 2 * rate


def test_the_list_of_watched_keys_does_not_grow_for_ever() -> None:
    rates = Rates()
    for number in range(MAX_WATCHED + 10):
        rates.take(str(number), 1, EPOCH)
    assert len(rates._left) == MAX_WATCHED
