"""Where cameras are, how the box signs in, and what of that may be seen; XML of strangers."""

import base64
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from drivers.api import DeviceRefused, SettingsFault, WireFault
from drivers.cameras import soap
from drivers.cameras.api import Surroundings
from drivers.cameras.login import HttpSettings, LoginSettings, filled, password, public
from drivers.cameras.offered import KINDS, all_kinds, kind_of, make_camera
from drivers.cameras.onvif import on_same_host
from drivers.cameras.xmltext import MAX_XML, read_xml
from drivers.settings import read_settings

HTTP = {"address": "http://camera/picture.jpg"}


@pytest.mark.parametrize(
    ("kind", "settings", "setting"),
    [
        ("telescope", {}, "kind"),
        ("http", {}, "address"),
        ("http", {"address": "file:///etc/passwd"}, "address"),
        ("http", {"address": "ftp://camera/x"}, "address"),
        ("http", {"address": "http://viewer:secret@camera/x"}, "address"),
        ("http", {"address": "http:///x"}, "address"),
        ("http", {"address": "http://camera:99999/x"}, "address"),
        ("http", {"address": "http://camera/x\r\nHost: other"}, "address"),
        ("rtsp", {"address": "http://camera/x"}, "address"),
        ("http", HTTP | {"password": "secret"}, "password"),
        ("http", HTTP | {"auth": "none"}, "auth"),
        ("http", HTTP | {"timeout_s": 0}, "timeout_s"),
        ("v4l2", {"path": "/etc/passwd"}, "path"),
        ("v4l2", {"path": "/dev/../etc/passwd"}, "path"),
        ("v4l2", {"path": "/dev/video0", "skip": 999}, "skip"),
    ],
)
def test_settings_that_do_not_fit_are_named(kind: str, settings: dict[str, object], setting: str) -> None:
    with pytest.raises(SettingsFault) as caught:
        make_camera(kind, settings, Surroundings())
    assert caught.value.setting == setting
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        HTTP | {"user": "viewer", "password_file": "/x", "password_env": "X"},
        HTTP | {"password_env": "X"},
        {"address": "http://camera/{password}/picture"},
        {"address": "http://{user}.camera/picture"},
    ],
)
def test_login_that_makes_no_sense_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(SettingsFault):
        read_settings(HttpSettings, settings)


def test_every_kind_describes_itself() -> None:
    for name, kind in zip(KINDS, all_kinds(), strict=True):
        assert kind.name == name
        assert kind.models
        assert kind.sources
        assert all(field.description for field in kind.settings.model_fields.values()), name


def test_password_is_read_anew_each_time(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("first\n")
    settings = LoginSettings(user="viewer", password_file=file)
    assert password(settings, {}) == "first"
    file.write_text("changed\r\n")
    assert password(settings, {}) == "changed"
    file.write_text("first\nsecond line\n")
    with pytest.raises(SettingsFault, match="one line"):
        password(settings, {})
    both = {"TALLYBOX_SECRET_CAM": "from there", "CAM": "from elsewhere"}
    assert password(LoginSettings(user="viewer", password_env="CAM"), both) == "from there"
    with pytest.raises(SettingsFault, match="TALLYBOX_SECRET_HOME"):
        password(LoginSettings(user="viewer", password_env="HOME"), {"HOME": "/root"})
    assert password(LoginSettings(), {}) == ""


@pytest.mark.parametrize("content", [None, b"x" * 2000, b"\xff\xfe"])
def test_password_that_cannot_be_read_names_the_setting(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsFault) as caught:
        password(LoginSettings(user="viewer", password_file=file), {})
    assert caught.value.setting == "password_file"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # opening one waits for somebody who writes
    with pytest.raises(SettingsFault):
        password(LoginSettings(user="viewer", password_file=pipe), {})
    with pytest.raises(SettingsFault):
        password(LoginSettings(user="viewer", password_env="CAM"), {})


def test_placeholders_are_filled_for_the_wire_and_dropped_for_the_record() -> None:
    address = "http://camera:81/snap.cgi?usr={user}&pwd={password}#x"
    assert filled(address, "vi&ewer", "a/b {user}") == "http://camera:81/snap.cgi?usr=vi%26ewer&pwd=a%2Fb%20%7Buser%7D#x"
    assert public(address) == "http://camera:81/snap.cgi"
    assert public("rtsp://viewer:secret@[fe80::1]:554/h264?token=1") == "rtsp://[fe80::1]:554/h264"


@pytest.mark.parametrize(
    ("found", "asked", "used"),
    [
        ("http://192.0.2.1/pic?id=1", "http://camera:81/onvif", "http://camera:81/pic?id=1"),
        ("http://camera:82/pic", "http://camera:81/onvif", "http://camera:82/pic"),
        ("https://camera/pic", "http://camera/onvif", "https://camera/pic"),
        ("http://camera/pic", "https://camera/onvif", "https://camera/pic"),
        ("file:///etc/passwd", "http://camera/onvif", "http://camera/etc/passwd"),
        ("http://who:ever@camera/pic", "http://camera/onvif", "http://camera/pic"),
        ("http://camera@evil.example/pic", "http://camera/onvif", "http://camera/pic"),
    ],
)
def test_address_that_a_camera_names_leads_to_the_camera(found: str, asked: str, used: str) -> None:
    assert on_same_host(found, asked) == used


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<a>",
        b"\xff\xfe<\x00a\x00/\x00>\x00",
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<?xml version="1.0"?><!DOCTYPE a SYSTEM "http://evil.example/x"><a/>',
        b"<a>&undeclared;</a>",
        b"<a>" + b" " * MAX_XML + b"</a>",
        b"<a>" * 100_000,
    ],
    ids=["nothing", "open", "UTF-16", "entity", "external", "undeclared", "long", "deep"],
)
def test_xml_with_anything_unusual_is_refused(data: bytes) -> None:
    with pytest.raises(WireFault):
        read_xml(data)


def body(inner: str) -> object:
    return soap.body_of(read_xml(soap.envelope(inner)))


def test_token_is_the_digest_of_nonce_time_and_password() -> None:
    # The example of the ONVIF programmer's guide, 6.1.1.3: its nonce, time and password give its digest.
    nonce = base64.b64decode("LKqI6G/AikKCQrN0zqZFlg==")
    token = soap.Token("user", "userpassword", nonce, datetime(2010, 9, 16, 7, 50, 45, tzinfo=UTC)).xml()
    assert "tuOSpGlFlIXsozq4HFNeeGeFLEI=" in token


def test_names_are_escaped_in_what_is_sent() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    call = soap.envelope(soap.get_snapshot_uri("a<b&c"), soap.Token("<user>", "p", b"n", at))
    assert b"a&lt;b&amp;c" in call
    assert b"&lt;user&gt;" in call
    read_xml(call)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (("2026", "11", "22", "16", "0", "5"), datetime(2026, 11, 22, 16, 0, 5, tzinfo=UTC)),
        (("2016", "12", "31", "23", "59", "60"), datetime(2017, 1, 1, tzinfo=UTC)),
        (("2026", "13", "22", "16", "0", "5"), None),
        (("0", "1", "1", "0", "0", "0"), None),
        (("2026", "", "22", "16", "0", "5"), None),
        (("9999", "12", "31", "23", "59", "60"), None),
        (("-1", "1", "1", "1", "1", "1"), None),
    ],
)
def test_clock_of_a_camera_is_read_or_not_known(fields: tuple[str, ...], said: datetime | None) -> None:
    year, month, day, hour, minute, second = fields
    clock = f"<t:Time><t:Hour>{hour}</t:Hour><t:Minute>{minute}</t:Minute><t:Second>{second}</t:Second></t:Time>"
    date = f"<t:Date><t:Year>{year}</t:Year><t:Month>{month}</t:Month><t:Day>{day}</t:Day></t:Date>"
    inner = f"<d:SystemDateAndTime><t:UTCDateTime>{clock}{date}</t:UTCDateTime></d:SystemDateAndTime>"
    names = f'xmlns:d="{soap.DEVICE[1:-1]}" xmlns:t="{soap.SCHEMA[1:-1]}"'
    assert soap.camera_time(body(f"<d:GetSystemDateAndTimeResponse {names}>{inner}</d:GetSystemDateAndTimeResponse>")) == said


def test_camera_that_says_no_time_address_or_profile_is_none_of_them() -> None:
    assert soap.camera_time(body("<x/>")) is None
    assert soap.media_address(body("<x/>")) is None
    assert soap.profiles(body("<x/>")) == []
    with pytest.raises(WireFault, match="snapshot address"):
        soap.snapshot_uri(body("<x/>"))


def test_fault_is_the_cameras_word() -> None:
    value = "<s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>ter:NotAuthorized</s:Value></s:Subcode></s:Code>"
    with pytest.raises(DeviceRefused) as caught:
        body(f"<s:Fault>{value}</s:Fault>")
    assert caught.value.code == "NotAuthorized"
    for other in (b"<a/>", b'<Envelope xmlns="http://www.w3.org/2003/05/soap-envelope"/>'):
        with pytest.raises(WireFault, match="envelope"):
            soap.body_of(read_xml(other))


def test_unknown_kind_names_those_there_are() -> None:
    with pytest.raises(SettingsFault, match="http, mjpeg, onvif, rtsp, v4l2"):
        kind_of("x" * 100)
