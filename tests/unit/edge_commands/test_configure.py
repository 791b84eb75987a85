"""A new configuration is checked as the start of the box would, laid beside the old one, and taken at the next start."""

from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from edge.commands.configure import adopt, beside, lay_down
from edge.errors import SettingsFault
from edge.settings import read

OLD = """
data_dir = "box"
station = "receiving-1"
browser_libs = "node_modules"

[[devices]]
id = "scale-1"
driver = "mt-sics"
transport = { kind = "tcp", host = "127.0.0.1", port = 4305 }
"""
NEW = OLD.replace("receiving-1", "receiving-2")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(OLD)
    return path


def test_new_configuration_waits_and_is_taken_at_the_next_start(config: Path) -> None:
    assert not adopt(config)
    waiting = lay_down(config, NEW, read(config))
    assert (config.read_text(), waiting.read_text()) == (OLD, NEW)
    assert waiting.stat().st_mode & 0o777 == 0o600
    assert adopt(config)
    assert (config.read_text(), beside(config, "previous").read_text()) == (NEW, OLD)
    assert not waiting.exists()
    assert not adopt(config)
    assert [path.name for path in sorted(config.parent.iterdir())] == ["config.toml", "config.toml.previous"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("station =", "sation ="), "station"),
        (("[[devices]]", "[[devices"), "config.toml"),
        (("[[devices]]", f"deep = {'[' * 50_000}\n[[devices]]"), "config.toml.*too deep"),
        (("mt-sics", "mt-sicks"), "scale-1"),
        (('host = "127.0.0.1", ', ""), "scale-1"),
        (('"box"', '"elsewhere"'), "data_dir"),
        (('"node_modules"', '"/tmp"'), "browser_libs"),
    ],
)
def test_what_the_box_could_not_start_with_is_refused_by_name(config: Path, change: Any, words: str) -> None:
    with pytest.raises(SettingsFault, match=words):
        lay_down(config, OLD.replace(*change), read(config))
    assert [path.name for path in config.parent.iterdir()] == ["config.toml"]


def test_what_cannot_be_read_at_the_start_is_put_aside_and_the_old_one_stays(config: Path) -> None:
    beside(config, "next").write_text("station = 3")
    with capture_logs() as logs:
        assert not adopt(config)
    assert [line["event"] for line in logs] == ["configuration_refused"]
    assert config.read_text() == OLD
    assert beside(config, "refused").read_text() == "station = 3"
    assert not beside(config, "next").exists()


@pytest.mark.parametrize("step", ["previous", "replace"])
def test_power_cut_while_taking_it_leaves_one_of_the_two(config: Path, monkeypatch: Any, step: str) -> None:
    class PowerCut(BaseException):
        pass

    def cut(*_args: Any, **_named: Any) -> None:
        raise PowerCut

    lay_down(config, NEW, read(config))
    with monkeypatch.context() as patched:
        if step == "previous":
            patched.setattr("edge.commands.configure.write_durably", cut)
        else:
            patched.setattr(Path, "replace", cut)
        with pytest.raises(PowerCut):
            adopt(config)
    assert config.read_text() == OLD
    assert adopt(config)
    assert config.read_text() == NEW
