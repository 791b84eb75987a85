"""`tallybox edge journal`: what a journal holds, whether it is whole, carrying it elsewhere, and taking a broken one apart.

`tallybox.py` mounts it and says how an identity is read and what time it is; all else is imported when a command runs.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

NO, SETUP, JOURNAL = 1, 3, 4
"""Exit codes as everywhere on the command line: the answer is no; set-up; the journal cannot be used."""

Config = Annotated[Path | None, typer.Option("--config", help="The box's TOML file.")]
File = Annotated[Path | None, typer.Option("--journal", help="A journal's file instead.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def journal_app(signer: Callable[[Path], Any], wall_ns: Callable[[], int]) -> typer.Typer:
    """The commands. `signer` makes (box, key id, sign) of an identity's folder and ends the process when it cannot."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.command("ls")(list_runs)
    app.command("verify")(verify)
    app.command("salvage")(salvage)

    @app.command("export")
    def export(
        out: Annotated[Path, typer.Option(help="The file to write.")],
        config: Config = None,
        journal: File = None,
        identity: Annotated[
            Path | None, typer.Option(help="Folder made by `provision enroll`; without it the file is not signed.")
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Write all of a journal into one file that `tallybox verify --file` proves with the box's public key."""
        from edge.errors import JournalFault
        from edge.journal import export as exporting
        from edge.journal import survey
        from sync_protocol.errors import SyncError

        who = signer(identity) if identity is not None else None
        unfinished = out.with_name(f"{out.name}.part")
        try:
            with survey.opened(_path(config, journal)) as connection, unfinished.open("wb") as file:
                contents = exporting.export(connection, file, wall_ns=wall_ns(), who=who)
            unfinished.replace(out)
        except (JournalFault, SyncError, OSError) as exc:
            unfinished.unlink(missing_ok=True)
            _fail(exc, JOURNAL if isinstance(exc, JournalFault) else SETUP)
        entries = sum(part.end - part.first for part in contents.runs)
        found = {"file": str(out), "signed": who is not None, "runs": len(contents.runs), "entries": entries}
        _say(found, f"{out}: {entries} entries of {len(contents.runs)} runs, {'signed' if who else 'not signed'}", as_json)

    return app


def list_runs(config: Config = None, journal: File = None, as_json: Json = False) -> None:
    """Every run with its entries, how far the cloud has it, and when it was written by the box's own clock."""
    from edge.errors import JournalFault
    from edge.journal import survey

    try:
        with survey.opened(_path(config, journal)) as connection:
            runs = [
                (run, [survey.stamp_at(connection, run, seq) for seq in (run.first, run.tip - 1)])
                for run in survey.runs_of(connection)
            ]
    except JournalFault as exc:
        _fail(exc, JOURNAL)
    rows: list[dict[str, Any]] = [
        {
            "run": run.run,
            "first": run.first,
            "tip": run.tip,
            "acked": run.acked,
            "stopped": run.stopped,
            "bytes": run.bytes,
            "from": _when(stamps[0].wall_ns if stamps[0] else None),
            "to": _when(stamps[1].wall_ns if stamps[1] else None),
            "clk": stamps[1].clk.s if stamps[1] else None,
        }
        for run, stamps in runs
    ]
    if as_json:
        typer.echo(json.dumps({"runs": rows}))
        return
    for row in rows:
        state = row["stopped"] or ("" if row["acked"] >= row["tip"] else f"{row['tip'] - row['acked']} wait")
        typer.echo(
            f"{row['run']}  {row['first']:>9}..{row['tip']:<9} {row['from'] or '?':20} {row['to'] or '?':20} {state}".rstrip()
        )


def verify(config: Config = None, journal: File = None, as_json: Json = False) -> None:
    """Prove every run's chain and every parent. Exit 1 with the first bad entry of each run."""
    from edge.errors import JournalFault
    from edge.journal import survey

    try:
        with survey.opened(_path(config, journal)) as connection:
            runs = survey.runs_of(connection)
            bad = [one for run in runs if (one := survey.first_bad(connection, run)) is not None]
    except JournalFault as exc:
        _fail(exc, JOURNAL)
    entries = sum(run.tip - run.first for run in runs)
    found: dict[str, Any] = {
        "ok": not bad,
        "runs": len(runs),
        "entries": entries,
        "bad": [{"run": one.entry.run, "seq": one.entry.seq, "reason": one.reason} for one in bad],
    }
    lines = [*map(str, bad), f"{entries} entries of {len(runs)} runs: {'BROKEN' if bad else 'whole'}"]
    _say(found, "\n".join(lines), as_json)
    raise typer.Exit(NO if bad else 0)


def salvage(
    config: Config = None,
    journal: File = None,
    force: Annotated[bool, typer.Option("--force", help="Also when every chain in it is whole.")] = False,
    as_json: Json = False,
) -> None:
    """Set a broken journal aside, whole, and write down what can be read of it; the box goes on from that at its next start.

    A box finds most damage by itself when it starts; this looks at all of a file, however large.
    """
    from edge.errors import JournalFault
    from edge.journal import aside, store
    from edge.journal.salvage import salvage as carve_out
    from edge.journal.salvage import salvage_file
    from edge.journal.survey import damage

    path = _path(config, journal)
    if not path.is_file():
        _fail(f"{path} is not there", JOURNAL)
    try:
        held = store.lock(path)
        try:
            reason = damage(path)
            if reason is None and not force:
                _say({"salvaged": False}, f"{path} is whole: nothing was done", as_json)
                return
            folder = aside.set_aside(path)
            saved = carve_out(folder / path.name, salvage_file(path, aside.number_of(folder)))
        finally:
            store.unlock(held)
    except JournalFault as exc:
        _fail(exc, JOURNAL)
    runs = [
        {"run": run.run, "tip": run.tip, "acked": run.acked, "found": run.found, "proven": run.proven} for run in saved.runs
    ]
    found = {"salvaged": True, "reason": reason, "aside": str(folder), "file": str(saved.file), "runs": runs}
    lines = [
        f"{path.name} ({reason or 'forced'}) is kept in {folder}",
        *(
            f"  {run.run or 'a run without its name'}: {run.found} of {run.tip} entries found, {run.proven} proven"
            for run in saved.runs
        ),
        f"written to {saved.file}; the box takes over at its next start what the cloud lacks",
    ]
    _say(found, "\n".join(lines), as_json)


def _path(config: Path | None, journal: Path | None) -> Path:
    from edge import settings
    from edge.errors import SettingsFault
    from edge.journal.store import FILE

    if (config is None) == (journal is None):
        _fail("give one of --config and --journal", 2)
    if journal is not None:
        return journal
    try:
        return settings.read(config).data_dir / FILE  # type: ignore[arg-type]  # one of the two is there
    except SettingsFault as exc:
        _fail(exc)


def _when(wall_ns: int | None) -> str | None:
    return None if wall_ns is None else datetime.fromtimestamp(wall_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _say(found: dict[str, Any], text: str, as_json: bool) -> None:
    typer.echo(json.dumps(found) if as_json else text)


def _fail(message: object, code: int = SETUP) -> NoReturn:
    typer.echo(f"tallybox: {message}", err=True)
    raise typer.Exit(code)
