"""`tallybox export receipt` and `tallybox verify bundle`: a receipt is handed over, and proved without a database."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from cloud.cli.session import SETUP, Database, Json, within

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from sync_protocol.bundle.form import Manifest

NO, WRONG_CALL = 1, 2


def export(
    what: Annotated[str, typer.Argument(help="`receipt`.")],
    ref: Annotated[str, typer.Argument(help="Its number, for example GR-2026-000001.")],
    db: Database,
    out: Annotated[Path, typer.Option("--out", help="The file to be made, for example receipt.zip.")],
    blobs: Annotated[Path | None, typer.Option(help="Folder of files; beside a SQLite database it is found.")] = None,
    certificate: Annotated[list[Path] | None, typer.Option(help="The box's certificate (PEM), to lie in the file.")] = None,
    as_json: Json = False,
) -> None:
    """Write a receipt and everything that proves it into one file, which anybody verifies with the box's public key alone."""
    if what != "receipt":
        _end(f"there is nothing to export that is called {what}", WRONG_CALL)
    from cloud.blobs.place import blob_folder
    from cloud.blobs.store import DirectoryStore
    from cloud.clock import system_clock
    from cloud.receiving.bundle.making import Wish, export_receipt
    from sync_protocol.errors import BundleFault

    part = out.with_name(f"{out.name}.part")

    async def work(session: "AsyncSession") -> "Manifest":
        folder = blob_folder(db, blobs)
        store = DirectoryStore(folder) if folder is not None and folder.is_dir() else None
        wish = Wish(system_clock(), store, [path.read_bytes() for path in certificate or ()])
        with part.open("wb") as file:
            return await export_receipt(session, ref, file, wish)

    try:
        manifest = within(db, work)
        part.replace(out)
    except (OSError, BundleFault) as exc:
        _end(str(exc), SETUP)
    finally:
        part.unlink(missing_ok=True)
    size = out.stat().st_size
    if as_json:
        print(json.dumps({"receipt": manifest.receipt, "digest": manifest.digest, "bytes": size, "out": str(out)}))
    else:
        print(f"{out}: {manifest.receipt}, {len(manifest.members)} files, {size} bytes, digest {manifest.digest}")


def verify_bundle(file: Path, keys: list[Path], *, as_json: bool) -> bool:
    """Prove a bundle and print what came of it, as a person or a program reads it; whether it holds. A file that is cut,
    changed or no bundle does not; a key that cannot be read ends the command."""
    from cloud.receiving.bundle.opening import prove_bundle
    from sync_protocol.errors import BundleFault, TextFault

    if not keys:
        _end("give --key: the box's public key or certificate, or its authority's (PEM)", WRONG_CALL)
    try:
        pems = [path.read_bytes() for path in keys]
        with file.open("rb") as data:
            found = prove_bundle(data, pems)
    except (OSError, TextFault) as exc:
        _end(str(exc), SETUP)
    except BundleFault as exc:
        told = {"ok": False, "reason": exc.reason, "member": exc.member}
        print(json.dumps(told) if as_json else f"{file}: DOES NOT VERIFY: {exc}")
        return False
    report = found.report
    if as_json:
        more = {"box": found.box, "made_at": found.made_at, "entries": found.entries, "missing_pictures": found.missing}
        print(json.dumps(report.model_dump(mode="json") | {"ok": report.ok} | more, ensure_ascii=False))
    else:
        _show(file, found)
    return report.ok


def _show(file: Path, found: Any) -> None:
    report = found.report
    print(f"{file}: {report.ref}  {report.state}  {'VERIFIED' if report.ok else 'DOES NOT VERIFY'}")
    print(f"  signed by box {found.box}; {found.entries} entries of its journal; made {found.made_at}")
    for problem in report.problems:
        print(f"  ! {problem}")
    for one in report.fields:
        where = f"line {one.line}" if one.line is not None else "header"
        print(f"  {where:8} {one.field:12} {one.value} {one.unit or ''}  [{one.mode}, {one.device or one.by}]")
        for problem in one.problems:
            print(f"           ! {problem}")
    for sha256 in found.missing:
        print(f"  - picture {sha256} is not in the file")


def _end(message: str, code: int) -> NoReturn:
    print(f"tallybox: {message}", file=sys.stderr)
    raise typer.Exit(code)
