"""The whole box with a scale and a camera: a booked weight is pictured, and the picture says whose it is."""

import asyncio
import hashlib
import os
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

import pytest

from edge.clock import BoxClock
from edge.runner import JOURNAL, Belongings, run_box
from edge.settings import read
from firmware_sim.config import read_site
from firmware_sim.site import run_site
from sync_protocol.entries import BlobEntry, DeviceEntry, Entry, NoteEntry, ReadingEntry, parse
from tests.unit.edge_commands.conftest import until

LIBRARIES = Path(__file__).resolve().parents[2] / "node_modules"

SITE = """
title = "Dock"
[[devices]]
name = "scale"
kind = "mt-sics"
pty = "scale"
[devices.scale]
capacity = "60"
increment = "0.005"
settle = 0.0
noise = 0.0
stable_after = 0.1
boot = 0.0
[[devices]]
name = "camera"
kind = "camera"
tcp = 0
[devices.options]
user = "viewer"
password = "secret"
"""

BOX = """
data_dir = "box"
browser_libs = "{libraries}"
station = "dock-1"

[kiosk]
port = 0
scale = "scale-1"
camera = "dock"
camera_at_weight = true

[[devices]]
id = "scale-1"
driver = "mt-sics"
transport = {{ kind = "serial", port = "{scale}" }}
capture = {{ policy = "on_stable" }}

[[cameras]]
id = "dock"
kind = "onvif"
settings = {{ address = "{camera}/onvif/device_service", user = "viewer", password_file = "{password}" }}
"""


def entries(journal: Path, kind: type[Entry]) -> list[Any]:
    if not journal.exists():
        return []
    with closing(connect(f"{journal.as_uri()}?mode=ro", uri=True, timeout=20)) as db:
        rows = db.execute("SELECT bytes FROM entry ORDER BY run, seq").fetchall()
    return [entry for (content,) in rows if isinstance(entry := parse(content), kind)]


async def test_weight_is_pictured_and_a_missing_picture_is_told(tmp_path: Path) -> None:
    if not (LIBRARIES / "htmx.org").exists():
        pytest.skip("the browser libraries are missing: run script/setup")
    (tmp_path / "password").write_text("secret\n")
    journal = tmp_path / "box" / JOURNAL
    async with run_site(read_site(SITE), directory=tmp_path) as site:
        scale, camera = site.device("scale"), site.device("camera")
        told = BOX.format(libraries=LIBRARIES, scale=scale.address, camera=camera.address, password=tmp_path / "password")
        (tmp_path / "box.toml").write_text(told)
        given = Belongings(who=None, tls=None, clock=BoxClock.of_this_machine(), entropy=os.urandom, firmware="test")
        served = asyncio.Event()
        box = asyncio.create_task(run_box(read(tmp_path / "box.toml"), given, announce=lambda _url: served.set()))
        try:
            await asyncio.wait({asyncio.create_task(served.wait()), box}, return_when=asyncio.FIRST_COMPLETED, timeout=30)
            assert served.is_set(), box
            await scale.put("12340")
            await until(lambda: entries(journal, BlobEntry))
            await camera.unplug()
            await scale.put("1000")
            await until(lambda: [note for note in entries(journal, NoteEntry) if note.name == "picture_missed"])
        finally:
            box.cancel()
            await asyncio.gather(box, return_exceptions=True)
    weights = [entry for entry in entries(journal, ReadingEntry) if entry.value not in {None, "0.000"}]
    assert [weight.value for weight in weights][-1] == "13.340"
    # The scale rests at zero before anything is put on it, and that is a weight as well.
    blobs = entries(journal, BlobEntry)
    assert {blob.about["device"] for blob in blobs} == {"dock"}
    assert all(blob.about["scale"] == "scale-1" and blob.about["reading"] for blob in blobs)
    for blob in blobs:
        picture = (tmp_path / "box" / "blobs" / blob.sha256).read_bytes()
        assert hashlib.sha256(picture).hexdigest() == blob.sha256
    [description] = [entry for entry in entries(journal, DeviceEntry) if entry.device == "dock"]
    assert (description.driver, description.settings["kind"]) == ("camera", "onvif")
    assert "secret" not in "".join(entry.model_dump_json() for entry in entries(journal, object))  # type: ignore[arg-type]
    assert [note.name for note in entries(journal, NoteEntry) if note.device == "dock"] == ["camera_lost", "picture_missed"]
