"""`tallybox cloud user ...` and `tallybox cloud key ...`: people, their roles, and keys of programs."""

import json
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cloud.cli.session import SETUP, Database, Json, within

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from cloud.kernel.actor import Taken

USAGE = 2
"""Exit code of a command that was put together wrongly."""

user_app = typer.Typer(no_args_is_help=True, help="People: add, list, shut, passwords, locks.")
key_app = typer.Typer(no_args_is_help=True, help="Keys with which programs come in.")

Login = Annotated[str, typer.Argument(help="The person's user name.")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password's one line from standard input.")]


@user_app.command("add")
def add(
    login: Login,
    db: Database,
    name: Annotated[str, typer.Option(help="How the person is called.")],
    role: Annotated[str, typer.Option(help="Key of the main role, as `tallybox cloud user roles` lists them.")] = "viewer",
    locale: Annotated[str, typer.Option(help="he or en.")] = "he",
    mail: Annotated[str, typer.Option(help="Ties a sign-in provider's verified address to this person.")] = "",
    password_stdin: FromStdin = False,
    no_password: Annotated[bool, typer.Option("--no-password", help="No password: a PIN or a passkey alone.")] = False,
) -> None:
    """Add a person. The password is asked for; TALLYBOX_PASSWORD and TALLYBOX_PIN may hold the secrets. None has a default."""
    from cloud.people.accounts import NewUser, create_user

    if locale not in {"he", "en"}:
        _stop(f"no language {locale[:20]!r}: he, en", USAGE)
    pin = os.environ.get("TALLYBOX_PIN") or None
    password = None if no_password else _password(password_stdin, may_lack=pin is not None)
    new = NewUser(login, name, role, password=password, pin=pin, locale=locale, mail=mail)

    async def work(session: "AsyncSession") -> None:
        await _check_role(session, role)
        await create_user(session, new, _taken())

    within(db, work, write=True)
    print(f"{login} is added as {role}")


@user_app.command("list")
def people(db: Database, as_json: Json = False) -> None:
    """Everybody, with the roles they hold and where."""
    from sqlalchemy import select

    from cloud.people.models import User
    from cloud.people.roles import held_by

    async def work(session: "AsyncSession") -> list[dict[str, Any]]:
        users = (await session.scalars(select(User).order_by(User.login))).all()
        return [
            {
                "login": user.login,
                "name": user.name,
                "role": user.role,
                "roles": [
                    f"{held.role.key}@{held.site}" if held.site else held.role.key for held in await held_by(session, user)
                ],
                "active": user.active,
                "locked_until": user.locked_until.isoformat() if user.locked_until else None,
                "password": user.password_hash is not None,
                "pin": user.pin_hash is not None,
            }
            for user in users
        ]

    rows = within(db, work)
    if as_json:
        print(json.dumps(rows))
        return
    for row in rows:
        standing = "" if row["active"] else "  (shut)"
        print(f"{row['login']:20} {', '.join(row['roles']):40} {row['name']}{standing}")


@user_app.command("roles")
def roles(db: Database, as_json: Json = False) -> None:
    """Every role with its grants."""
    from cloud.people.roles import all_roles

    async def work(session: "AsyncSession") -> list[dict[str, Any]]:
        return [
            {
                "role": row.key,
                "label": row.label_en,
                "builtin": row.builtin,
                "grants": [
                    {"kind": each.kind, "action": each.action, "scope": each.scope, "mask": each.mask} for each in row.grants
                ],
            }
            for row in await all_roles(session)
        ]

    rows = within(db, work)
    if as_json:
        print(json.dumps(rows))
        return
    for row in rows:
        print(f"{row['role']:20} {len(row['grants']):4} grants  {row['label']}{'' if row['builtin'] else '  (own)'}")


@user_app.command("deactivate")
def deactivate(login: Login, db: Database) -> None:
    """Shut an account: no sign-in, session or key of theirs works any more. The last administrator cannot be shut."""
    from cloud.people.changing import set_active

    async def work(session: "AsyncSession") -> None:
        await set_active(session, login, _taken(), active=False)

    within(db, work, write=True)
    print(f"{login} is shut")


@user_app.command("set-password")
def set_password(
    login: Login,
    db: Database,
    password_stdin: FromStdin = False,
    keep: Annotated[bool, typer.Option("--keep", help="They need not change it at their next sign-in.")] = False,
) -> None:
    """Give somebody a new password, and lift a lock. All their sessions end."""
    from cloud.people import changing

    password = _password(password_stdin, may_lack=False)

    async def work(session: "AsyncSession") -> None:
        taken = _taken()
        await changing.set_password(session, login, password, taken, must_change=not keep)
        await changing.unlock(session, login, taken)

    within(db, work, write=True)
    print(f"{login} has a new password")


@user_app.command("unlock")
def unlock(login: Login, db: Database) -> None:
    """Let somebody who mistyped too often try again at once."""
    from cloud.people import changing

    async def work(session: "AsyncSession") -> None:
        await changing.unlock(session, login, _taken())

    within(db, work, write=True)
    print(f"{login} may try again")


@key_app.command("add")
def add_key(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    db: Database,
    user: Annotated[str | None, typer.Option(help="Acts as this person.")] = None,
    role: Annotated[
        list[str] | None, typer.Option(help="Or has this role of its own; ROLE or ROLE@SITE, may be repeated.")
    ] = None,
    days: Annotated[int, typer.Option(help="How long it lives.", min=1)] = 90,
    rate: Annotated[int, typer.Option(help="Requests a minute.", min=1)] = 300,
    as_json: Json = False,
) -> None:
    """Make a key and print it: this once, it is kept as a hash only."""
    from datetime import timedelta

    from cloud.people.keys import NewKey, make_key

    pairs = tuple((key, site) for key, _, site in (each.partition("@") for each in role or ()))

    async def work(session: "AsyncSession") -> tuple[str, str]:
        for key, _ in pairs:
            await _check_role(session, key)
        taken = _taken()
        new = NewKey(name, taken.at + timedelta(days=days), user, pairs, rate)
        row, text = await make_key(session, new, taken)
        return row.prefix, text

    prefix, text = within(db, work, write=True)
    print(json.dumps({"prefix": prefix, "key": text}) if as_json else text)


@key_app.command("list")
def list_keys(db: Database, as_json: Json = False) -> None:
    """Every key, the newest first."""
    from cloud.people.keys import all_keys

    async def work(session: "AsyncSession") -> list[dict[str, Any]]:
        return [
            {
                "prefix": row.prefix,
                "name": row.name,
                "user": row.user.login if row.user is not None else None,
                "roles": [f"{held.role.key}@{held.site}" if held.site else held.role.key for held in row.roles],
                "rate": row.rate,
                "expires_at": row.expires_at.isoformat() if row.expires_at else None,
                "revoked_at": row.revoked_at.isoformat() if row.revoked_at else None,
                "last_used_at": row.last_used_at.isoformat() if row.last_used_at else None,
            }
            for row in await all_keys(session)
        ]

    rows = within(db, work)
    if as_json:
        print(json.dumps(rows))
        return
    for row in rows:
        standing = f"revoked {row['revoked_at'][:10]}" if row["revoked_at"] else f"until {row['expires_at'][:10]}"
        print(f"{row['prefix']}  {standing:20} {row['user'] or ', '.join(row['roles']):30} {row['name']}")


@key_app.command("revoke")
def revoke(prefix: Annotated[str, typer.Argument(help="As `tallybox cloud key list` shows it.")], db: Database) -> None:
    """Shut a key for good."""
    from cloud.people.keys import revoke_key

    async def work(session: "AsyncSession") -> None:
        await revoke_key(session, prefix, _taken())

    within(db, work, write=True)
    print(f"{prefix} is revoked")


def _taken() -> "Taken":
    """Whoever may write to the database may do all of this: there is nobody to ask for a password here."""
    from cloud.clock import system_clock
    from cloud.kernel.actor import Actor, Taken

    return Taken(Actor.system("command line"), system_clock())


async def _check_role(session: "AsyncSession", key: str) -> None:
    from cloud.people.roles import all_roles

    known = [row.key for row in await all_roles(session)]
    if key not in known:
        _stop(f"no role {key[:20]!r}: {', '.join(known)}", USAGE)


def _password(from_stdin: bool, *, may_lack: bool) -> str | None:
    """From standard input, the environment or a prompt, in this order; never empty, and none only where `may_lack`."""
    if from_stdin:
        found = sys.stdin.readline().rstrip("\r\n")
    elif os.environ.get("TALLYBOX_PASSWORD"):
        return os.environ["TALLYBOX_PASSWORD"]
    elif may_lack:
        return None
    elif sys.stdin.isatty():
        found = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        _stop("a password is needed: --password-stdin, TALLYBOX_PASSWORD, or a terminal to ask at")
    if not found:
        _stop("an empty password is none")
    return found


def _stop(words: str, code: int = SETUP) -> NoReturn:
    print(f"tallybox: {words}", file=sys.stderr)
    raise typer.Exit(code)
