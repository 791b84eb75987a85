"""Who is signed in: PIN check, lock-out, opaque cookies, auto-lock. The open job is the desk's and outlives every session."""

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

from edge.clock import Clock
from edge.errors import EdgeError
from edge.jobs.desk import JobDesk
from edge.kiosk.store import KioskStore, SessionRow
from edge.mirror.view import MasterView
from sync_protocol.masters import Person

log = structlog.get_logger(__name__)

FREE_TRIES: Final = 5
"""Wrong PINs before waiting begins: a tired hand slips twice, a guesser needs thousands."""
FIRST_WAIT_S: Final = 30
LONGEST_WAIT_S: Final = 900
"""The wait doubles with each further wrong PIN up to here: 10,000 PINs would take over three months."""
LONGEST_SESSION_NS: Final = 12 * 3600 * 1_000_000_000
"""A shift and its overtime."""
MAX_SESSIONS: Final = 16
"""A touchscreen, a tablet or two, and what browsers forgot; the oldest is signed out."""

_HASHES = PasswordHash((Argon2Hasher(),))


class SignInRefused(EdgeError):
    """Wrong name or PIN, or too many tries. `wait_s` is None while another try is allowed at once."""

    def __init__(self, wait_s: int | None) -> None:
        super().__init__("sign-in refused")
        self.wait_s = wait_s


@dataclass(slots=True)
class Session:
    """One signed-in browser."""

    token_hash: str
    login: str
    locale: str
    began_wall_ns: int
    seen_ns: int
    csrf: str


@dataclass(slots=True)
class _Tries:
    count: int = 0
    until_ns: int = 0


class Sessions:
    """All sign-ins of the station. The newest one is the station's operator."""

    def __init__(
        self,
        store: KioskStore,
        desk: JobDesk,
        masters: Callable[[], MasterView],
        clock: Clock,
        entropy: Callable[[int], bytes],
        *,
        lock_after_s: int,
    ) -> None:
        self._store = store
        self._desk = desk
        self._masters = masters
        self._clock = clock
        self._entropy = entropy
        self._lock_after_ns = lock_after_s * 1_000_000_000
        self._sessions: dict[str, Session] = {}
        self._tries: dict[str, _Tries] = {}
        self._lock = asyncio.Lock()

    async def load(self) -> None:
        """Take over what the last start left; idle time begins anew, waits for wrong PINs too."""
        now = self._clock.now_ns()
        for row in await self._store.sessions():
            self._sessions[row.token_hash] = Session(
                row.token_hash, row.login, row.locale, row.began_wall_ns, now, _csrf(row.token_hash)
            )
        for login, count in (await self._store.failures()).items():
            self._tries[login] = _Tries(count, now + _wait_s(count) * 1_000_000_000)
        self._set_operator()

    async def sign_in(self, login: str, pin: str) -> tuple[str, Session]:
        """A new cookie and its session. Raises SignInRefused."""
        async with self._lock:
            return await self._begin(await self._proved(login, pin))

    async def prove(self, login: str, pin: str) -> Person:
        """Who says that they are this person, and knows the PIN; nobody is signed in. Raises SignInRefused."""
        async with self._lock:
            return await self._proved(login, pin)

    async def _proved(self, login: str, pin: str) -> Person:
        person = self._masters().person(login)
        tries = self._tries.setdefault(person.login if person else "", _Tries())
        if (left := tries.until_ns - self._clock.now_ns()) > 0:
            raise SignInRefused(-(-left // 1_000_000_000))
        if person is None or not await asyncio.to_thread(_right, pin, person.pin_hash):
            await self._count_wrong(person, tries)
        if person is None:  # pragma: no cover - _count_wrong has raised
            raise SignInRefused(None)
        if tries.count:
            tries.count = 0
            await self._store.set_failures(person.login, 0)
        return person

    async def _count_wrong(self, person: Person | None, tries: _Tries) -> None:
        tries.count += 1
        wait = _wait_s(tries.count)
        tries.until_ns = self._clock.now_ns() + wait * 1_000_000_000
        if person is not None:
            await self._store.set_failures(person.login, tries.count)
        log.warning("pin_refused", login=person.login if person else None, tries=tries.count, wait_s=wait)
        raise SignInRefused(wait or None)

    async def _begin(self, person: Person) -> tuple[str, Session]:
        token = self._entropy(32).hex()
        hashed = _hash(token)
        locale = await self._store.preference(person.login) or person.locale
        session = Session(hashed, person.login, locale, self._clock.wall_ns(), self._clock.now_ns(), _csrf(hashed))
        await self._store.add_session(SessionRow(hashed, person.login, locale, session.began_wall_ns))
        self._sessions[hashed] = session
        while len(self._sessions) > MAX_SESSIONS:
            await self._end(next(iter(self._sessions)))
        self._set_operator()
        log.info("signed_in", login=person.login)
        return token, session

    async def current(self, token: str | None, *, active: bool = True) -> Session | None:
        """The live session of a cookie; `active` says that a person did something. Over-age and idle sessions end here."""
        session = self._sessions.get(_hash(token)) if token else None
        if session is None:
            return None
        now = self._clock.now_ns()
        too_old = self._clock.wall_ns() - session.began_wall_ns > LONGEST_SESSION_NS
        if too_old or now - session.seen_ns > self._lock_after_ns or self._masters().person(session.login) is None:
            await self._end(session.token_hash)
            log.info("session_locked", login=session.login)
            return None
        if active:
            session.seen_ns = now
        return session

    async def lock_idle(self) -> None:
        """End every session that is over its time, so that scans stop counting as an absent person's."""
        now = self._clock.now_ns()
        for session in [one for one in self._sessions.values() if now - one.seen_ns > self._lock_after_ns]:
            await self._end(session.token_hash)
            log.info("session_locked", login=session.login)

    def scanned(self) -> None:
        """A scan came: the operator is at work, though not touching the screen."""
        newest = next(reversed(self._sessions.values()), None)
        if newest is not None:
            newest.seen_ns = self._clock.now_ns()

    async def sign_out(self, session: Session) -> None:
        await self._end(session.token_hash)
        log.info("signed_out", login=session.login)

    async def prefer(self, session: Session, locale: str) -> None:
        """The person's language from now on."""
        session.locale = locale
        await self._store.prefer(session.login, locale, session.token_hash)

    async def _end(self, token_hash: str) -> None:
        self._sessions.pop(token_hash, None)
        await self._store.drop_session(token_hash)
        self._set_operator()

    def _set_operator(self) -> None:
        newest = next(reversed(self._sessions.values()), None)
        if newest is None:
            self._desk.sign_out()
        elif newest.login != self._desk.operator:
            self._desk.sign_in(newest.login)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _csrf(token_hash: str) -> str:
    # Bound to the session without being stored: who knows the hash already reads the box's files.
    return hmac.new(token_hash.encode(), b"tallybox kiosk form", hashlib.sha256).hexdigest()


def _wait_s(count: int) -> int:
    return 0 if count < FREE_TRIES else min(LONGEST_WAIT_S, FIRST_WAIT_S << min(count - FREE_TRIES, 10))


def _right(pin: str, pin_hash: str) -> bool:
    try:
        return _HASHES.verify(pin, pin_hash)
    except UnknownHashError:
        return False
