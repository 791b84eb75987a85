"""The file: a ZIP whose manifest names every member with its hash; JSON in one form only, so that equal content is equal bytes.

Canonical JSON: UTF-8, keys sorted by code point, no white space, no floating-point numbers (decimals are texts). For what is
written here that is RFC 8785. The manifest's `digest` is SHA-256 over its own canonical JSON without `digest`.
"""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sync_protocol.errors import BundleFault

FORMAT = "tallybox-receipt-bundle"
VERSION = 1
MANIFEST = "manifest.json"
RECEIPT = "receipt.json"
AUDIT = "audit.json"
README = "README.txt"
FRAMES, CHAINS, KEYS, CERTIFICATES, BLOBS = "frames/", "chain/", "keys/", "certificates/", "blobs/"

MAX_MEMBERS = 10_000
"""A receipt of 1,000 lines rests on some hundred frames; photos are few."""

MAX_MEMBER = 64 * 1024 * 1024
"""The largest file that a box sends is a picture of a few megabytes."""

MAX_TOTAL = 2 * 1024 * 1024 * 1024
"""What a reader may be made to unpack, whatever the file's own size says."""

_TIME = (1980, 1, 1, 0, 0, 0)
"""ZIP's first moment: the same content is the same file."""


def canonical(value: Any) -> bytes:
    """JSON in the one form. Raises BundleFault for what has no exact form: a floating-point number."""
    if any(isinstance(leaf, float) for leaf in _leaves(value)):
        raise BundleFault("a floating-point number has no place in a bundle")
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _leaves(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _leaves(each)
    else:
        yield value


class Named(BaseModel):
    """One member as the manifest names it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: int = Field(ge=0, le=MAX_MEMBER)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Manifest(BaseModel):
    """What is in the file. `made_at` (ISO 8601, UTC) and `receipt` are the word of whoever made it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: str = Field(pattern=f"^{FORMAT}$")
    v: int = Field(ge=VERSION, le=VERSION)
    made_at: str = Field(max_length=40)
    receipt: str = Field(max_length=64)
    uid: str = Field(max_length=64)
    box: str = Field(max_length=64)
    members: dict[str, Named] = Field(max_length=MAX_MEMBERS)
    digest: str = Field(pattern="^[0-9a-f]{64}$")

    def to_bytes(self) -> bytes:
        return canonical(self.model_dump())


def digest_of(content: Mapping[str, Any]) -> str:
    """The digest of a manifest's content; `digest` itself does not count."""
    return hashlib.sha256(canonical({key: each for key, each in content.items() if key != "digest"})).hexdigest()


@dataclass(slots=True)
class Packing:
    """Writes a bundle, member by member; `finish` writes the manifest. The file must be able to seek."""

    file: IO[bytes]
    _members: dict[str, dict[str, Any]] = field(default_factory=dict)
    _zip: zipfile.ZipFile | None = None

    def __enter__(self) -> Self:
        self._zip = zipfile.ZipFile(self.file, "w", zipfile.ZIP_DEFLATED)
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        if self._zip is not None:
            self._zip.close()

    def add(self, name: str, data: bytes) -> None:
        """Add a member; a name that is there already is passed over. Raises BundleFault for one that is too large."""
        if name in self._members:
            return
        if len(data) > MAX_MEMBER or len(self._members) >= MAX_MEMBERS:
            raise BundleFault(f"{name} is too much for one bundle")
        self._members[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        self._write(name, data)

    def finish(self, *, receipt: str, uid: str, box: str, made_at: str) -> Manifest:
        """Write the manifest over what was added."""
        content: dict[str, Any] = {
            "format": FORMAT,
            "v": VERSION,
            "made_at": made_at,
            "receipt": receipt,
            "uid": uid,
            "box": box,
            "members": self._members,
        }
        manifest = Manifest.model_validate(content | {"digest": digest_of(content)})
        self._write(MANIFEST, manifest.to_bytes())
        return manifest

    def _write(self, name: str, data: bytes) -> None:
        if self._zip is None:
            raise BundleFault("the bundle is not open")
        self._zip.writestr(zipfile.ZipInfo(name, _TIME), data, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose manifest, hashes and list of members hold. Blobs were checked and are not kept in memory."""

    manifest: Manifest
    members: Mapping[str, bytes]

    def json(self, name: str) -> Any:
        """A member as JSON, in the one form. Raises BundleFault."""
        return read_canonical(name, self.members.get(name, b""))

    def under(self, folder: str) -> Iterator[tuple[str, bytes]]:
        """The members of a folder by their names in it, sorted."""
        for name in sorted(self.members):
            if name.startswith(folder):
                yield name.removeprefix(folder), self.members[name]


def read_canonical(name: str, data: bytes) -> Any:
    """JSON that is in the one form. Raises BundleFault."""
    try:
        found = json.loads(data, parse_float=_no_float)
    except (ValueError, RecursionError) as exc:
        raise BundleFault("is no JSON", name) from exc
    if canonical(found) != data:
        raise BundleFault("is not in the one form", name)
    return found


def _no_float(text: str) -> None:
    raise ValueError(f"{text[:20]} is a floating-point number")


def unpack(file: IO[bytes]) -> Bundle:
    """Open a bundle and check what needs no key: form, hashes, nothing missing and nothing beside. Raises BundleFault."""
    try:
        with zipfile.ZipFile(file) as packed:
            return _unpack(packed)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError, OSError) as exc:
        raise BundleFault(f"not a bundle, or damaged: {exc}") from exc


def _unpack(packed: zipfile.ZipFile) -> Bundle:
    infos = packed.infolist()
    names = [info.filename for info in infos]
    if len(names) != len(set(names)) or len(names) > MAX_MEMBERS + 1:
        raise BundleFault("a member is there twice, or there are too many")
    if MANIFEST not in names:
        raise BundleFault("is missing", MANIFEST)
    manifest = _manifest(_content(packed, packed.getinfo(MANIFEST)))
    for name in sorted(set(names) ^ {*manifest.members, MANIFEST}):
        raise BundleFault("is not in the manifest" if name in names else "is missing", name)
    if sum(each.bytes for each in manifest.members.values()) > MAX_TOTAL:
        raise BundleFault("the bundle is too large")
    kept: dict[str, bytes] = {}
    for info in infos:
        named = manifest.members.get(info.filename)
        if named is None:
            continue
        data = _content(packed, info)
        if len(data) != named.bytes or hashlib.sha256(data).hexdigest() != named.sha256:
            raise BundleFault("is not what the manifest names", info.filename)
        if info.filename.startswith(BLOBS) and info.filename != BLOBS + named.sha256:
            raise BundleFault("is not named by its hash", info.filename)
        kept[info.filename] = b"" if info.filename.startswith(BLOBS) else data
    return Bundle(manifest, kept)


def _content(packed: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.file_size > MAX_MEMBER:
        raise BundleFault("is too large", info.filename)
    try:
        with packed.open(info) as member:
            return member.read(MAX_MEMBER + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError) as exc:
        raise BundleFault("is damaged", info.filename) from exc


def _manifest(data: bytes) -> Manifest:
    content = read_canonical(MANIFEST, data)
    try:
        manifest = Manifest.model_validate(content)
    except ValidationError as exc:
        raise BundleFault(f"cannot be read: {exc.errors()[0]['msg']}", MANIFEST) from exc
    if digest_of(content) != manifest.digest:
        raise BundleFault("has another digest than its content", MANIFEST)
    return manifest
