"""Line-format instruments without code: profiles in TOML, checked by a schema, run by one engine."""

from drivers.profiles.loading import ProfileFault
from drivers.profiles.own import decode_with

__all__ = ["ProfileFault", "decode_with"]
