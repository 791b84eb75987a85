"""What can be wrong with a simulated site.

SimError
├── SiteFault        the site file or a setting does not say what is needed; `key` names where
├── ActionRefused    a device cannot do what its operator was told to do
└── WireTaken        the port or path that a device should be plugged into is not free
"""


class SimError(Exception):
    """Root of everything this package raises."""


class SiteFault(SimError):
    """The site's description is wrong; `key` is the dotted path of the first setting to blame."""

    def __init__(self, message: str, *, key: str) -> None:
        super().__init__(f"{key}: {message}" if key else message)
        self.message = message
        self.key = key


class ActionRefused(SimError):
    """The action does not fit the device or its present state."""


class WireTaken(SimError):
    """The address of a wire is in use by something else."""
