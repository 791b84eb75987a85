"""Files for the browser: only those named here are served, each under an address that holds its hash."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge.errors import SettingsFault
from edge.jobs.news import Sound
from edge.kiosk.sounds import render

_OWN: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".woff2": "font/woff2",
    ".wav": "audio/wav",
    ".svg": "image/svg+xml",
}

OWN_FILES: Final = ("kiosk.css", "kiosk.js", "live.js", "pads.js", "camera.js", "icon.svg")
LIBRARY_FILES: Final[Mapping[str, str]] = {
    "htmx.js": "htmx.org/dist/htmx.min.js",
    **{
        f"noto-{script}-{weight}.woff2": f"@fontsource/{package}/files/{package}-{script}-{weight}-normal.woff2"
        for script, package in (("latin", "noto-sans"), ("hebrew", "noto-sans-hebrew"))
        for weight in (400, 600, 800)
    },
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its bytes, media type and hash."""

    body: bytes
    media_type: str
    digest: str


class Assets:
    """The manifest: name to file, read once at start."""

    def __init__(self, browser_libs: Path, *, px_per_mm: float) -> None:
        """Raises SettingsFault when a library file is missing."""
        files = {name: _read(_OWN / name) for name in OWN_FILES}
        files |= {name: _read(browser_libs / path) for name, path in LIBRARY_FILES.items()}
        files |= {f"{sound}.wav": render(sound) for sound in Sound}
        self._files = {name: _asset(name, body) for name, body in files.items()}
        self._files["station.css"] = _asset("station.css", _station_css(self._files, px_per_mm).encode())

    def url(self, name: str) -> str:
        """The address of a file; raises KeyError for one that is not in the manifest."""
        return f"/static/{self._files[name].digest}/{name}"

    def get(self, digest: str, name: str) -> Asset | None:
        asset = self._files.get(name)
        return asset if asset is not None and asset.digest == digest else None


def _asset(name: str, body: bytes) -> Asset:
    return Asset(body, _TYPES[Path(name).suffix], hashlib.sha256(body).hexdigest()[:16])


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise SettingsFault(f"a file for the browser is missing: {path.name}; run the set-up once more") from exc


def _station_css(files: Mapping[str, Asset], px_per_mm: float) -> str:
    """What depends on the station or on hashes: the size of a millimetre, the fonts."""
    faces = "".join(
        f'@font-face{{font-family:"Noto Sans";font-weight:{weight};font-display:block;'
        f'src:url("/static/{files[name].digest}/{name}") format("woff2");unicode-range:{span}}}'
        for script, span in (
            ("latin", "U+0000-00FF,U+2000-206F,U+20AC,U+2122,U+2190-21FF,U+2212"),
            ("hebrew", "U+0590-05FF,U+FB1D-FB4F"),
        )
        for weight in (400, 600, 800)
        for name in (f"noto-{script}-{weight}.woff2",)
    )
    return f":root{{--mm:{px_per_mm:.3f}px}}{faces}"
