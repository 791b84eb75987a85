"""Settings that let whoever knows them in are marked, so that no journal and no screen shows them."""

import re

import pytest

from drivers import registry
from drivers.api import Settings
from drivers.cameras.offered import all_kinds
from drivers.settings import SECRET, secrets_of
from drivers.transports import KINDS, settings_of

SOUNDS_SECRET = re.compile(r"pass|secret|token|polynomial|logon|log_on|bind|(^|_)(key|pin|psk)$")
POINTS_TO_ONE = ("_file", "_env")
"""Where a secret stands may be known."""

MODELS: dict[str, type[Settings]] = {
    **{driver.info.name: driver.settings for driver in registry.BUILT_IN},
    **{kind: settings_of(kind) for kind in KINDS},
    **{f"camera {kind.name}": kind.settings for kind in all_kinds()},
}


@pytest.mark.parametrize("name", MODELS)
def test_what_sounds_like_a_secret_is_marked(name: str) -> None:
    model = MODELS[name]
    sounding = {one for one in model.model_fields if SOUNDS_SECRET.search(one) and not one.endswith(POINTS_TO_ONE)}
    assert sounding <= secrets_of(model)


@pytest.mark.parametrize("name", MODELS)
def test_settings_can_be_read_again_without_their_secrets(name: str) -> None:
    model = MODELS[name]
    assert not {one for one in secrets_of(model) if model.model_fields[one].is_required()}


def test_the_mark_is_found() -> None:
    assert SECRET == {"secret": True}
    assert secrets_of(MODELS["dialog06"]) == {"logon_polynomial", "logon_checksum"}
