"""One root of errors per package; every error below it says who is to blame, and is in the tree that the module draws."""

import importlib
import pkgutil

import pytest

from tests.arch.pages import PACKAGES

ROOTS = {
    "sync_protocol": "sync_protocol.errors.SyncError",
    "drivers": "drivers.api.DriverError",
    "edge": "edge.errors.EdgeError",
    "cloud": "cloud.errors.CloudError",
    "provisioning": "provisioning.errors.ProvisioningError",
    "firmware_sim": "firmware_sim.errors.SimError",
}


def below(root: type[Exception]) -> set[type[Exception]]:
    return {root}.union(*(below(child) for child in root.__subclasses__()))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_error_has_a_docstring_and_a_place_in_the_tree(package: str) -> None:
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        if ".migrations" not in module.name:
            importlib.import_module(module.name)
    home, _, name = ROOTS[package].rpartition(".")
    tree = importlib.import_module(home).__doc__ or ""
    ours = [
        error for error in below(getattr(importlib.import_module(home), name)) if error.__module__.partition(".")[0] == package
    ]
    assert not [error for error in ours if not error.__dict__.get("__doc__")]
    assert not [error for error in ours if error.__module__ == home and error.__name__ not in tree]
