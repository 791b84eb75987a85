"""A real Mosquitto for devices: without certificates, on a free port of the loopback address.

`with open_broker() as broker:` skips by name where there is no Mosquitto; `lines` are added to its configuration.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.brokers import Broker, _free_port, _give_away, _program


@contextmanager
def broker_folder() -> Iterator[Path]:
    """A folder that the broker may enter, as pytest's own may not be; gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="tallybox-broker-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def open_broker(*lines: str, folder: Path | None = None) -> Iterator[Broker]:
    """A running broker that lets everybody in unless `lines` say otherwise."""
    if not Path(_program()).exists():
        pytest.skip("Mosquitto is not installed")
    if folder is None:
        with broker_folder() as made, open_broker(*lines, folder=made) as broker:
            yield broker
        return
    port = _free_port()
    (folder / "mosquitto.conf").write_text("\n".join([f"listener {port} 127.0.0.1", *(lines or ("allow_anonymous true",)), ""]))
    _give_away(folder)
    broker = Broker(folder, port)
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()
