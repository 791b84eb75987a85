"""Commands and files through the real commands: a box, a core and a site as processes of their own."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

from edge.blobs.store import BlobStore
from sync_protocol.entries import CommandEntry
from tests.integration.operating import until
from tests.integration.running import Running, command, running_thread

PICTURE = hashlib.shake_256(b"picture").digest(700_000)


async def ask(it: Running, box: str, op: str, **args: Any) -> str:
    """The id of a new command."""
    given = ("--args", json.dumps(args), "--db", it.data.database_url, "--json")
    code, out, errors = await command("cloud", "command", box, op, *given)
    assert code == 0, errors
    return str(json.loads(out)["command"])


async def ended(it: Running, box: str, asked: str) -> dict[str, Any]:
    """What became of a command, once something did."""

    async def look() -> dict[str, Any]:
        code, out, errors = await command("cloud", "commands", box, "--db", it.data.database_url, "--json")
        assert code == 0, errors
        row: dict[str, Any] = next(row for row in json.loads(out) if row["command"] == asked)
        return row

    return dict(await until(f"the end of {asked}", look, lambda row: row["state"] not in {"waiting", "sent"}))


async def test_what_is_asked_of_a_box_is_done_once_and_told_in_its_journal(tmp_path: Path) -> None:
    async with running_thread(tmp_path) as it:
        box = str((await it.operator.state())["sync"]["box_id"])
        zero = await ended(it, box, await ask(it, box, "zero", device="scale-1"))
        assert (zero["state"], zero["by"]) == ("done", "command line")
        refused = await ended(it, box, await ask(it, box, "zero", device="scale-9"))
        assert (refused["state"], refused["detail"]) == ("refused", "no_device")

        # The new configuration holds from the next start on; the file that was in use is kept.
        port = it.parts.box.facts["kiosk"].rpartition(":")[2]
        text = it.parts.config.read_text()
        wanted = text.replace("\nport = 0\n", f'\nport = {port}\nlocale = "en"\n')
        assert wanted != text
        configured = await ended(it, box, await ask(it, box, "configure", toml=wanted))
        assert (configured["state"], configured["detail"]) == ("done", "at_next_start")
        entries = {entry.cmd_id: entry.outcome for entry in it.stored.entries(CommandEntry)}
        await it.kill_box()
        # Given while the box is away: it comes with the next session.
        later = await ask(it, box, "fresh_run")
        await it.restart_box()
        done = await ended(it, box, later)
        assert (done["state"], len(done["result"]["run"])) == ("done", 32)
        assert it.parts.config.read_text() == wanted
        told = [entry.cmd_id for entry in it.stored.entries(CommandEntry)]
        assert len(told) == len(set(told)) == len(entries) + 1

        # A file that is put into the box's folder goes up by itself.
        fields = BlobStore(tmp_path / "box" / "blobs").put([PICTURE], media="image/jpeg", name="p.jpg", about={})
        await it.kill_box()
        await it.restart_box()
        kept = tmp_path / "blobs" / "files" / fields.sha256[:2] / fields.sha256

        async def look() -> bool:
            return await asyncio.to_thread(kept.exists)

        await until("the picture in the cloud", look, bool)
        assert kept.read_bytes() == PICTURE
