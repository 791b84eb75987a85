"""A core that takes files, as a process of its own: its arguments are DATABASE FOLDER PORT BOX=CERTIFICATE..."""

import asyncio
import secrets
import sys
from pathlib import Path

from cloud.app import create_sync_app
from cloud.blobs.store import DirectoryStore
from cloud.blobs.uploads import Blobs
from cloud.clock import system_clock
from cloud.db.engine import open_sessions
from cloud.deps import SyncDeps
from cloud.web_server import Listener, listen, serve
from tests.integration.serving import named_peer


async def main(database: str, folder: str, port: str, *boxes: str) -> None:
    sessions = open_sessions(database)
    certificates = {name: bytes.fromhex(der) for name, _, der in (box.partition("=") for box in boxes)}
    deps = SyncDeps(sessions, peer_certificate=named_peer(certificates))
    blobs = Blobs(sessions, DirectoryStore(Path(folder)), system_clock, secrets.token_bytes)
    listener = Listener(create_sync_app(deps, blobs=blobs), listen("127.0.0.1", int(port)))
    sys.stdout.write(f"{listener.url}\n")
    sys.stdout.flush()
    await serve(listener)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
