"""What the box makes of a picture: kept as it came, what is said of it, lost and back once each, codes as scans."""

import asyncio
import hashlib
import json

import pytest
import structlog

from edge.cameras.book import MAX_WAITING, CameraBook, check_cameras
from edge.errors import JournalFull, PictureFailed, SettingsFault
from edge.settings import CameraSettings
from sync_protocol.entries import BlobEntry, NoteEntry, ReadingEntry
from tests.unit.edge_cameras.conftest import Cameras
from tests.unit.edge_commands.conftest import until


async def test_original_is_kept_under_its_hash_with_what_is_known_of_it(cameras: Cameras) -> None:
    taken = await cameras.book.take("dock", {"job": "J1"})
    picture = cameras.store.path(taken.sha256).read_bytes()
    assert hashlib.sha256(picture).hexdigest() == taken.sha256
    [entry] = cameras.pages.of(BlobEntry)
    assert (entry.sha256, entry.size, entry.media) == (taken.sha256, len(picture), "image/jpeg")
    about = entry.about
    assert (about["device"], about["job"], about["width"], about["height"]) == ("dock", "J1", "640", "480")
    assert about["taken_from"] == f"{cameras.device.address}/picture.jpg"
    assert about["asked_mono_ns"] == str(cameras.clock.now_ns())
    assert json.loads(about["codes"]) == ["]E07290000000015"]
    assert (about["findings"], json.loads(about["limits"])["min_pixels"]) == ("", 100)


async def test_finding_is_a_remark_and_the_picture_stays(cameras: Cameras) -> None:
    await cameras.device.press("blur")
    taken = await cameras.another(limits={}).take("dock")
    assert [finding.code for finding in taken.findings] == ["too_small", "blurred"]
    assert cameras.pages.of(BlobEntry)[0].about["findings"] == "too_small blurred"
    assert cameras.store.path(taken.sha256).exists()


async def test_nothing_that_signs_in_is_written_down(cameras: Cameras) -> None:
    await cameras.book.introduce()
    await cameras.book.take("dock")
    with pytest.raises(PictureFailed):
        await cameras.another(password_env="WRONG").take("dock")
    written = "".join(entry.model_dump_json() for entry in cameras.pages.entries)
    assert "secret" not in written
    assert "nonsense" not in written
    assert '"driver":"camera"' in written
    assert f'"address":"{cameras.device.address}/picture.jpg"' in written


TROUBLES = [("silent", "no_answer"), ("cut", "lost"), ("garbage", "no_picture"), ("refusing", "refused")]


@pytest.mark.parametrize(("trouble", "code"), TROUBLES)
async def test_camera_is_lost_once_and_back_once(cameras: Cameras, trouble: str, code: str) -> None:
    book = cameras.another(timeout_s=0.3)
    await cameras.device.press(trouble)
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(PictureFailed) as caught:
                await book.take("dock")
            assert caught.value.code == code
        cameras.clock.turn(90)
        await cameras.device.press("well")
        await _patiently(book)
        await _patiently(book)
    assert [entry["event"] for entry in logs if entry["event"].startswith("camera_")] == ["camera_lost", "camera_back"]
    lost, back = cameras.pages.of(NoteEntry)
    assert (lost.name, lost.device, lost.data["code"]) == ("camera_lost", "dock", code)
    assert (back.name, back.data["after_s"]) == ("camera_back", 90)


async def _patiently(book: CameraBook) -> None:
    """The time-out of this book is short for the sake of silence; a busy machine may need more than one try."""
    for _ in range(20):
        try:
            await book.take("dock")
        except PictureFailed:
            continue
        return
    raise AssertionError("the camera did not come back")


async def test_camera_that_is_unplugged_is_lost_and_comes_back_by_itself(cameras: Cameras) -> None:
    await cameras.device.unplug()
    with pytest.raises(PictureFailed) as caught:
        await cameras.book.take("dock")
    assert caught.value.code == "lost"
    await cameras.device.replug()
    assert (await cameras.book.take("dock")).width == 640
    assert cameras.pages.notes() == ["camera_lost", "camera_back"]


async def test_one_picture_at_a_time_and_a_short_queue(cameras: Cameras) -> None:
    await cameras.device.press("silent")
    book = cameras.another(timeout_s=0.5)
    waiting = [asyncio.create_task(book.take("dock")) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(PictureFailed) as caught:
        await book.take("dock")
    assert caught.value.code == "busy"
    await cameras.device.press("well")
    done = await asyncio.gather(*waiting, return_exceptions=True)
    assert sum(isinstance(one, PictureFailed) for one in done) <= 2
    assert (await cameras.device.state())["taken"] == len(cameras.pages.of(BlobEntry))


async def test_caller_that_goes_away_leaves_the_picture(cameras: Cameras) -> None:
    asked = asyncio.create_task(cameras.book.take("dock"))
    await asyncio.sleep(0.01)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    await until(lambda: cameras.pages.of(BlobEntry))


async def test_codes_are_scans_only_where_the_camera_may_scan_and_somebody_scans(cameras: Cameras) -> None:
    await cameras.device.act(
        {"action": "lay_out", "labels": [{"text": "(01)07290000000015(10)A7(21)9", "symbology_id": "]d2"}, {"text": "PALLET"}]}
    )
    for codes, scan in (("note", True), ("readings", False), ("none", True)):
        taken = await cameras.another(codes=codes).take("dock", scan=scan)
        assert len(taken.codes) == (0 if codes == "none" else 2)
        assert cameras.told == []
    taken = await cameras.another(codes="readings").take("dock", scan=True)
    assert [captured.reading.value for captured in cameras.told] == ["010729000000001510A7\x1d219", "PALLET"]
    first, second = cameras.pages.of(ReadingEntry)
    assert (first.device, first.driver, first.kind, first.value) == ("dock", "camera", "code", "010729000000001510A7\x1d219")
    assert first.details["image"] == second.details["image"] == taken.sha256
    assert first.details["ai.10"] == "A7"
    blobs = [at for at, entry in enumerate(cameras.pages.entries) if isinstance(entry, BlobEntry)]
    assert cameras.told[0].entry.seq > blobs[-1]


async def test_full_box_says_so(cameras: Cameras) -> None:
    cameras.pages.full = True
    with pytest.raises(JournalFull):
        await cameras.book.take("dock")
    assert cameras.pages.entries == []


async def test_disk_that_refuses_is_no_trouble_of_the_camera(cameras: Cameras, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cameras.store, "put", refuse)
    with pytest.raises(PictureFailed) as caught:
        await cameras.book.take("dock")
    assert caught.value.code == "not_kept"
    assert cameras.pages.notes() == []


async def test_password_that_is_missing_is_a_matter_of_settings(cameras: Cameras) -> None:
    with pytest.raises(PictureFailed) as caught:
        await cameras.another(password_env="NOT_THERE").take("dock")
    assert caught.value.code == "settings"


@pytest.mark.parametrize(
    ("camera", "named"),
    [
        (CameraSettings(id="dock", kind="telescope"), "kind"),
        (CameraSettings(id="dock", kind="http", settings={"address": "http://a:b@c/"}), "address"),
        (CameraSettings(id="dock", kind="http", settings={"address": "http://c/"}, limits={"sharp": 1}), "sharp"),
    ],
)
def test_camera_that_cannot_be_is_named_when_the_box_starts(camera: CameraSettings, named: str) -> None:
    with pytest.raises(SettingsFault, match=f"cameras: dock: {named}"):
        check_cameras([camera])
