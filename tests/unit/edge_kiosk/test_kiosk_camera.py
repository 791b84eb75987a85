"""The station's camera at the kiosk: a picture is looked at, used, taken again or left out; its codes can be scans."""

import hashlib
import io
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from drivers.cameras.checks import Finding
from drivers.cameras.codes import reading_of
from edge.cameras.taken import Taken
from edge.errors import PictureFailed
from edge.jobs.news import Sound
from edge.jobs.routing import Routing
from edge.kiosk.app import create_kiosk
from edge.kiosk.shots import MAX_SHOTS, Shots
from edge.kiosk.status import SyncStatus
from edge.kiosk.store import KioskStore
from tests.unit.edge_jobs.station import ORDER, Station, masters, oil_label
from tests.unit.edge_jobs.yard import yard_masters
from tests.unit.edge_kiosk.conftest import PIN_HASH, PROGRAM, Kiosk, client_of, deps_of

PAGE = {"x-tallybox": "1", "hx-request": "true"}


class Eye:
    """A camera whose pictures are real files; every picture is another one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[tuple[dict[str, str], bool]] = []
        self.fault: Exception | None = None
        self.codes: tuple[str, ...] = ()
        self.findings: tuple[Finding, ...] = ()

    async def take(self, camera: str, about: Mapping[str, str], *, scan: bool = False) -> Taken:
        assert camera == "dock"
        if self.fault is not None:
            raise self.fault
        self.asked.append((dict(about), scan))
        made = io.BytesIO()
        Image.new("RGB", (64, 48), (len(self.asked), 40, 40)).save(made, "JPEG")
        sha256 = hashlib.sha256(made.getvalue()).hexdigest()
        (self.folder / sha256).write_bytes(made.getvalue())
        codes = tuple(reading_of(text, "]C0", sha256) for text in self.codes)
        return Taken(camera, sha256, "image/jpeg", len(made.getvalue()), 64, 48, self.findings, codes)


@pytest.fixture
def eye(tmp_path: Path) -> Eye:
    return Eye(tmp_path)


@pytest.fixture
async def dock(store: KioskStore, eye: Eye, tmp_path: Path) -> AsyncIterator[Kiosk]:
    """A kiosk with a camera, at the first step of a receipt that has its paper."""
    station = Station(drafts=store)
    station.masters = masters(PIN_HASH)
    await station.desk.start()
    sync = [SyncStatus(link_up=True, since_ns=0, waiting=0, oldest_waiting_s=None, box_id="BOX")]
    deps = replace(deps_of(station, store, sync), shots=Shots(eye, "dock", tmp_path, scans=True))
    app = create_kiosk(deps)
    async with app.router.lifespan_context(app), client_of(app) as client:
        kiosk = Kiosk(app, deps, station, client, Routing(station.desk), sync)
        await kiosk.sign_in()
        assert (await client.post("/api/jobs", json={"order": ORDER}, headers=PROGRAM)).status_code == 200
        await kiosk.act("document", reason="not_supplied")
        yield kiosk


def job_of(kiosk: Kiosk) -> str:
    assert kiosk.station.desk.job is not None
    return kiosk.station.desk.job.id


async def test_picture_is_looked_at_before_it_is_used(dock: Kiosk, eye: Eye) -> None:
    assert "/shoot" in (await dock.client.get("/")).text
    eye.findings = (Finding("blurred", "1", "60"),)
    answer = await dock.act("shoot", subject="delivery_note")
    shot = answer.json()["shot"]
    assert (shot["subject"], shot["findings"]) == ("delivery_note", ["blurred"])
    assert eye.asked == [({"job": job_of(dock), "subject": "delivery_note"}, False)]
    page = (await dock.client.get("/")).text
    assert f"/pictures/{shot['sha256']}" in page
    assert 'data-awaits="item"' in page
    picture = await dock.client.get(f"/pictures/{shot['sha256']}")
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/jpeg")
    assert hashlib.sha256(picture.content).hexdigest() == shot["sha256"]
    # The picture is kept; nothing of the job names it yet.
    assert dock.station.desk.job.photos == ()  # type: ignore[union-attr]
    used = await dock.act("photo", sha256=shot["sha256"], subject="delivery_note")
    assert used.json()["shot"] is None
    assert [photo.sha256 for photo in dock.station.desk.job.photos] == [shot["sha256"]]  # type: ignore[union-attr]


async def test_damage_is_pictured_by_the_stations_camera(dock: Kiosk) -> None:
    await dock.scan(**oil_label())
    dock.station.hub.weigh("5")
    await dock.act("take")
    assert (await dock.act("condition", condition="damaged", reason="torn")).status_code == 200
    page = (await dock.client.get("/")).text
    assert re.search(r'/shoot".*?name="subject" value="damage"', page, re.DOTALL)
    shot = (await dock.act("shoot", subject="damage")).json()["shot"]
    used = await dock.act("photo", sha256=shot["sha256"], subject="damage")
    assert used.status_code == 200, used.text
    [line] = dock.station.desk.job.lines  # type: ignore[union-attr]
    assert [(photo.sha256, photo.subject) for photo in line.photos] == [(shot["sha256"], "damage")]


async def test_again_is_another_picture_and_leaving_it_out_names_none(dock: Kiosk, eye: Eye) -> None:
    first = (await dock.act("shoot", subject="delivery_note")).json()["shot"]["sha256"]
    second = (await dock.act("shoot", subject="delivery_note")).json()["shot"]["sha256"]
    assert first != second
    # A picture that is looked at no longer is not handed out, and no other file of the box ever is.
    assert (await dock.client.get(f"/pictures/{first}")).status_code == 404
    assert (await dock.client.get("/pictures/..%2Fkiosk.db")).status_code == 404
    assert (await dock.act("unshoot")).json()["shot"] is None
    assert dock.station.desk.job.photos == ()  # type: ignore[union-attr]
    assert (await dock.client.get(f"/pictures/{second}")).status_code == 404


async def test_screen_speaks_of_the_picture_and_not_of_the_step_before(dock: Kiosk, eye: Eye) -> None:
    def told() -> tuple[Sound, str] | None:
        last = dock.station.desk.news.last
        return (last.sound, last.code) if last is not None else None

    await dock.act("shoot", subject="delivery_note")
    assert told() == (Sound.ACCEPTED, "photo.taken")
    eye.findings = (Finding("blurred", "1", "60"),)
    await dock.act("shoot", subject="delivery_note")
    assert told() == (Sound.LOOK_HERE, "photo.taken")
    await dock.act("unshoot")
    assert told() == (Sound.ACCEPTED, "photo.left")


@pytest.mark.parametrize("code", ["lost", "no_answer", "refused", "no_picture", "settings", "not_kept", "busy"])
async def test_camera_that_fails_is_told_in_words(dock: Kiosk, eye: Eye, code: str) -> None:
    eye.fault = PictureFailed(code)
    answer = await dock.act("shoot", subject="delivery_note")
    assert (answer.status_code, answer.json()["code"]) == (409, f"camera_{code}")
    assert code not in answer.json()["title"].split()
    assert (await dock.state())["shot"] is None


async def test_codes_before_the_camera_are_scans_when_somebody_scans(dock: Kiosk, eye: Eye) -> None:
    assert "/api/camera-scan" in (await dock.client.get("/")).text
    answer = await dock.client.post("/api/camera-scan", json={}, headers=PROGRAM)
    assert (answer.status_code, answer.json()["code"]) == (409, "camera_no_code")
    eye.codes = ("X-1",)
    assert (await dock.client.post("/api/camera-scan", json={}, headers=PROGRAM)).status_code == 200
    assert [scan for _, scan in eye.asked] == [True, True]


async def test_picture_of_a_job_that_is_not_in_hand_is_not_taken(dock: Kiosk, eye: Eye) -> None:
    answer = await dock.client.post("/api/jobs/another/shoot", json={}, headers=PROGRAM)
    assert (answer.status_code, answer.json()["code"]) == (409, "other_job")
    assert eye.asked == []


async def test_station_without_a_camera_offers_none(kiosk: Kiosk) -> None:
    await kiosk.sign_in()
    await kiosk.client.post("/api/jobs", json={"order": ORDER}, headers=PROGRAM)
    await kiosk.act("document", reason="not_supplied")
    assert "/shoot" not in (await kiosk.client.get("/")).text
    assert (await kiosk.act("shoot")).json()["code"] == "camera_no_camera"
    assert (await kiosk.client.post("/api/camera-scan", json={}, headers=PROGRAM)).json()["code"] == "camera_no_camera"


async def test_pictures_that_are_looked_at_are_few(tmp_path: Path, eye: Eye) -> None:
    shots = Shots(eye, "dock", tmp_path)
    taken = [await shots.shoot(f"job-{number}", "other", None) for number in range(MAX_SHOTS + 1)]
    assert shots.of("job-0") is None
    assert shots.file(taken[0].sha256) is None
    assert shots.file(taken[-1].sha256) == (tmp_path / taken[-1].sha256, "image/jpeg")


async def test_gate_takes_pictures_with_the_same_camera(dock: Kiosk, eye: Eye) -> None:
    dock.station.masters = yard_masters(PIN_HASH)
    answer = await dock.client.post("/api/jobs", json={"kind": "gate", "direction": "in"}, headers=PROGRAM)
    assert answer.status_code == 200, answer.text
    held = dock.station.desk.in_hand
    assert held is not None
    await dock.scan("MSKU 123456-5")
    address = f"/api/jobs/{held.job.id}"
    shot = (await dock.client.post(f"{address}/shoot", json={}, headers=PROGRAM)).json()["shot"]
    assert shot["subject"] == "other"
    assert f"/pictures/{shot['sha256']}" in (await dock.client.get("/panel", headers=PAGE)).text
    used = await dock.client.post(f"{address}/photo", json={"sha256": shot["sha256"]}, headers=PROGRAM)
    assert (used.status_code, used.json()["shot"]) == (200, None)
