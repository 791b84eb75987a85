"""`tallybox cloud import`, `undo-import`, `export` and `template`: records out of files and into them."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from cloud.cli.session import SETUP, Database, Json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cloud.db.engine import Sessions
    from cloud.imports.mapping import Plan
    from cloud.imports.models import ImportJob
    from cloud.imports.work import ImportWork
    from cloud.kernel.actor import Taken

NO = 1
"""Exit code: rows are faulty, or nothing could be undone."""
USAGE = 2
SHOWN = 20
"""Faults that are printed; the rest is in the JSON and on the page."""
WAIT_S = 0.5

Result = TypeVar("Result")
Kind = Annotated[str, typer.Argument(help="Of the records, as `party` or `product`.")]
Zone = Annotated[str, typer.Option(help="The house's time zone: of times without one.")]
HOUSE = "Asia/Jerusalem"


def import_(  # noqa: PLR0913, PLR0917 - the command's options
    kind: Kind,
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="CSV, XLSX or JSON lines.")],
    db: Database,
    apply: Annotated[bool, typer.Option("--apply", help="Write the records, if no row is faulty.")] = False,
    good: Annotated[bool, typer.Option("--good", help="Write the good rows, whatever the others are.")] = False,
    column: Annotated[list[str] | None, typer.Option(help="HEAD=FIELD; HEAD= leaves the column out. Again for more.")] = None,
    key: Annotated[str | None, typer.Option(help="Field by which records are found: ref, source_key or a unique one.")] = None,
    mode: Annotated[Literal["create", "update", "upsert"] | None, typer.Option(help="What may happen.")] = None,
    source: Annotated[str, typer.Option(help="Name of the other system whose keys the file has.")] = "",
    sheet: Annotated[str, typer.Option(help="Of a workbook; else the first that is visible.")] = "",
    encoding: Annotated[str, typer.Option(help="Of a text; else it is found out.")] = "",
    zone: Zone = HOUSE,
    as_json: Json = False,
) -> None:
    """Check a file's rows, and with --apply write them. Nothing is written where a row is faulty, unless --good says so."""
    from cloud.imports.reading import How
    from cloud.imports.staging import stage
    from cloud.imports.steps import ask_apply, ask_check, rows_of

    async def work(sessions: "Sessions", at: "ImportWork") -> tuple["ImportJob", list[dict[str, Any]]]:
        taken = _taken()
        how = How(encoding=encoding, sheet=sheet)
        uid = await stage(sessions, at, taken, kind=kind, path=file, name=file.name, how=how)
        row = await _row(sessions, uid)
        plan = _planned(row, column or [], key=key, mode=mode, source=source)
        async with sessions.write() as session:
            await ask_check(at, await at.caller(session, taken), uid, plan)
        row = await _worked_off(sessions, at, uid)
        faulty = row.counts.get("outcome", {}).get("faulty", 0)
        if (apply and not faulty) or good:
            async with sessions.write() as session:
                await ask_apply(at, await at.caller(session, taken), uid, policy="good" if good else "all")
            row = await _worked_off(sessions, at, uid)
        async with sessions.read() as session:
            rows = await rows_of(session, row.id, outcome=_faulty(), limit=1000)
            return row, [{"row": one.number, **fault} for one in rows for fault in one.faults]

    row, faults = _run(db, zone, work)
    if as_json:
        print(json.dumps({**_told(row), "faults": faults}, ensure_ascii=False))
    else:
        print(f"import {row.uid}: {row.status}; " + ", ".join(f"{name} {value}" for name, value in _flat(row.counts).items()))
        for one in faults[:SHOWN]:
            print(f"  row {one['row']}: {one['field'] or '-'}: {one['code']} {json.dumps(one['values'], ensure_ascii=False)}")
        if len(faults) > SHOWN:
            print(f"  and {len(faults) - SHOWN} more")
    if faults:
        raise typer.Exit(NO)


def undo_import(
    uid: Annotated[str, typer.Argument(help="As the import said it.")], db: Database, as_json: Json = False
) -> None:
    """Take back what an import did: archive what it made, put back what it changed. What has moved on since is kept."""
    from cloud.imports.steps import ask_undo

    async def work(sessions: "Sessions", at: "ImportWork") -> "ImportJob":
        async with sessions.write() as session:
            await ask_undo(at, await at.caller(session, _taken()), uid)
        return await _worked_off(sessions, at, uid)

    row = _run(db, HOUSE, work)
    done = row.counts.get("done", {})
    print(json.dumps(_told(row)) if as_json else f"import {uid}: undone {done.get('undone', 0)}, kept {done.get('kept', 0)}")
    if done.get("kept"):
        raise typer.Exit(NO)


def export(
    kind: Kind,
    file: Annotated[Path, typer.Argument(dir_okay=False, writable=True, help="Its ending says the format: .csv or .xlsx.")],
    db: Database,
    where: Annotated[str, typer.Option("--filter", help="An expression: only records for which it is true.")] = "",
    language: Annotated[Literal["he", "en"], typer.Option(help="Of the columns' names, in a workbook.")] = "he",
    zone: Zone = HOUSE,
) -> None:
    """Write records into a file that can be imported again."""
    from cloud.imports.export import export_rows
    from cloud.objects.query import Query

    fmt = file.suffix.lower().removeprefix(".")
    if fmt not in {"csv", "xlsx"}:
        print("tallybox: the file must end in .csv or .xlsx", file=sys.stderr)
        raise typer.Exit(USAGE)

    async def work(sessions: "Sessions", at: "ImportWork") -> None:
        async with sessions.read() as session:
            pieces = export_rows(
                await at.caller(session, _taken()), kind, Query(filter=where), "csv" if fmt == "csv" else "xlsx", language
            )
            content = [piece async for piece in pieces]
        # Only whole: half a file looks like all there is.
        await asyncio.to_thread(file.write_bytes, b"".join(content))

    _run(db, zone, work)


def template(
    file: Annotated[Path, typer.Argument(dir_okay=False, writable=True, help="An XLSX file.")],
    db: Database,
    kind: Annotated[str | None, typer.Option(help="One kind; else all, in the order in which they are imported.")] = None,
    language: Annotated[Literal["he", "en"], typer.Option(help="Of the columns' names.")] = "he",
) -> None:
    """Write an empty workbook to be filled in and imported."""
    from cloud.imports import templates

    async def work(sessions: "Sessions", at: "ImportWork") -> None:
        async with sessions.read() as session:
            caller = await at.caller(session, _taken())
            made = templates.templates_all(caller, language) if kind is None else templates.template(caller, kind, language)
        await asyncio.to_thread(file.write_bytes, made)

    _run(db, HOUSE, work)


def _run(db: str, zone: str, work: "Callable[[Sessions, ImportWork], Awaitable[Result]]") -> Result:
    """Do `work` with the shipped definitions and those of the database. What is refused is one line, and ends with SETUP."""
    from zoneinfo import ZoneInfo

    from sqlalchemy.exc import DBAPIError

    from cloud import catalogue
    from cloud.errors import CloudError
    from cloud.imports.work import ImportWork

    async def run() -> Result:
        async with _opened(db) as sessions:
            return await work(sessions, ImportWork(catalogue.registry(), ZoneInfo(zone), catalogue.hooks()))

    try:
        return asyncio.run(run())
    except CloudError as exc:
        print(f"tallybox: {exc}", file=sys.stderr)
    except DBAPIError as exc:
        print(f"tallybox: the database cannot be used (is it migrated?): {str(exc.orig).splitlines()[0]}", file=sys.stderr)
    raise typer.Exit(SETUP)


@asynccontextmanager
async def _opened(db: str) -> "AsyncIterator[Sessions]":
    from cloud.db.engine import open_sessions

    sessions = open_sessions(db)
    try:
        yield sessions
    finally:
        await sessions.engine.dispose()


async def _row(sessions: "Sessions", uid: str) -> "ImportJob":
    from sqlalchemy import select

    from cloud.imports.models import ImportJob

    async with sessions.read() as session:
        return (await session.scalars(select(ImportJob).where(ImportJob.uid == uid))).one()


async def _worked_off(sessions: "Sessions", at: "ImportWork", uid: str) -> "ImportJob":
    """Do the background work here, unless a running core is quicker; the import when nothing goes on any more."""
    from cloud.imports.steps import standing
    from cloud.jobs.worker import Worker

    while True:
        await Worker(sessions, at.handlers(), name="command line").run_due()
        async with sessions.read() as session:
            found = await standing(await at.caller(session, _taken()), uid)
        if found.rests:
            return found.row
        await asyncio.sleep(WAIT_S)


def _planned(row: "ImportJob", columns: list[str], *, key: str | None, mode: str | None, source: str) -> "Plan":
    """The plan that was found for the file, with what the options say otherwise."""
    from cloud.imports.mapping import Plan

    said = row.plan
    fields = {one["number"]: one for one in said["columns"]}
    for text in columns:
        head, _, name = text.partition("=")
        if head not in row.head:
            print(f"tallybox: the file has no column {head!r}", file=sys.stderr)
            raise typer.Exit(USAGE)
        number = row.head.index(head)
        fields = {place: one for place, one in fields.items() if place != number and one["field"] != name}
        if name:
            fields[number] = {"number": number, "field": name}
    said = {**said, "columns": list(fields.values())}
    said |= {name: value for name, value in (("key", key), ("mode", mode), ("source", source or None)) if value is not None}
    if mode is None and not said["key"]:
        said["mode"] = "create"
    return Plan.of_json(said)


def _faulty() -> Any:
    from cloud.imports.models import Outcome

    return Outcome.FAULTY


def _taken() -> "Taken":
    from cloud.clock import system_clock
    from cloud.kernel.actor import Actor, Taken

    return Taken(Actor.system("command line"), system_clock())


def _told(row: "ImportJob") -> dict[str, Any]:
    return {"import": row.uid, "kind": row.kind, "status": row.status, "counts": row.counts, "trouble": row.trouble}


def _flat(counts: dict[str, Any]) -> dict[str, int]:
    return {"rows": counts.get("rows", 0), **counts.get("outcome", {}), **counts.get("done", {})}
