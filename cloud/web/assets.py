"""The files that browsers fetch: our own and named ones of the browser libraries, at an address that changes with any byte."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from cloud.web.errors import SetupFault

OWN = Path(__file__).parent / "static"

# Public name -> path below the folder of browser libraries. Nothing else of that folder can be asked for.
LIBRARY_FILES: dict[str, str] = {
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "webauthn.js": "@simplewebauthn/browser/dist/bundle/index.umd.min.js",
    "noto-sans-400.woff2": "@fontsource/noto-sans/files/noto-sans-latin-400-normal.woff2",
    "noto-sans-600.woff2": "@fontsource/noto-sans/files/noto-sans-latin-600-normal.woff2",
    "noto-sans-ext-400.woff2": "@fontsource/noto-sans/files/noto-sans-latin-ext-400-normal.woff2",
    "noto-sans-ext-600.woff2": "@fontsource/noto-sans/files/noto-sans-latin-ext-600-normal.woff2",
    "noto-sans-hebrew-400.woff2": "@fontsource/noto-sans-hebrew/files/noto-sans-hebrew-hebrew-400-normal.woff2",
    "noto-sans-hebrew-600.woff2": "@fontsource/noto-sans-hebrew/files/noto-sans-hebrew-hebrew-600-normal.woff2",
}
OWN_FILES = (
    "staff.css",
    "proof.css",
    "people.css",
    "objects.css",
    "around.css",
    "charts.css",
    "queue.css",
    "staff.js",
    "objects.js",
    "passkeys.js",
    "verify.js",
    "queue.js",
    "icons.svg",
)

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True, slots=True)
class Assets:
    """All files in memory (about half a megabyte), and the hash over all of them that stands in their address."""

    version: str
    files: dict[str, bytes]

    @classmethod
    def load(cls, browser_libs: Path) -> "Assets":
        """Raises SetupFault when a file is not where it should be."""
        paths = {name: OWN / name for name in OWN_FILES} | {name: browser_libs / path for name, path in LIBRARY_FILES.items()}
        files = {name: _read(path) for name, path in paths.items()}
        digest = hashlib.sha256()
        for name in sorted(files):
            digest.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
        return cls(digest.hexdigest()[:16], files)

    def url(self, name: str) -> str:
        """The address of a file; a name that is not among them is an error of the template."""
        if name not in self.files:
            raise KeyError(name)
        return f"/static/{self.version}/{name}"

    @staticmethod
    def media_type(name: str) -> str:
        return TYPES[Path(name).suffix]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise SetupFault("asset_missing", {"path": str(path)}) from exc
