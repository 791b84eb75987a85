"""The broker between boxes and core: Mosquitto's configuration, its access list, its certificate, and the core's own identity.

Every client is what its certificate says. A box writes its own frames and reads its own answers; only the core's workers see
the frames of all.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from string import Template
from typing import Self

import structlog

from provisioning.box_identity import CA, make_key
from provisioning.ca import Authority, server_name
from provisioning.enroll import enroll_server
from provisioning.errors import FileFault, NotThere, RequestFault, TrustFault
from provisioning.files import PRIVATE, locked, private_directory, sweep, write_over
from provisioning.keys import certificate_pem, read_certificate, spki
from sync_protocol import routes
from sync_protocol.frame import MAX_FRAME

log = structlog.get_logger(__name__)

CONFIGURATION = "mosquitto.conf"
ACCESS = "acl"
WORKERS = "workers"
CLIENT_KEY = "client.key"
CLIENT_CERTIFICATE = "client.crt"

PORT = 8883
"""MQTT over TLS, as registered with IANA."""

MAX_PROPERTIES = 4096
"""Bytes beside the payload: topic, content type, response topic and correlation data take some two hundred."""

_WORKER = re.compile(r"[a-z][a-z0-9-]{0,62}")  # no box id has small letters, so no worker can be taken for a box


@dataclass(frozen=True, slots=True)
class ClientFiles:
    """Key, certificate and root of a client that is no box."""

    certificate: Path
    key: Path
    ca: Path

    @classmethod
    def within(cls, directory: Path) -> Self:
        """The files that `enroll_worker` makes in a directory. Raises NotThere when one is missing."""
        files = cls(directory / CLIENT_CERTIFICATE, directory / CLIENT_KEY, directory / CA)
        for path in (files.certificate, files.key, files.ca):
            if not path.exists():
                raise NotThere(path)
        return files


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the broker listens and as whom it runs. `user` None leaves that to Mosquitto: when started by root it becomes
    `mosquitto`, and that user must be able to read the folder."""

    host: str = "0.0.0.0"  # noqa: S104 - boxes come from other machines; each shows its certificate first
    port: int = PORT
    user: str | None = None
    crl: Path | None = None


def write_broker(
    directory: Path,
    authority: Authority,
    *,
    names: Sequence[str],
    workers: Sequence[str],
    now: datetime,
    listening: Listening | None = None,
) -> Path:
    """Everything that Mosquitto needs, in `directory`; the path of the configuration.

    `names` are what boxes and workers call the broker. Each of `workers` gets an identity of its own below `workers/`: two
    connections with one certificate would throw each other out. Running it again renews what is due and writes the
    configuration anew. Raises RequestFault, TrustFault, FileFault, Busy.
    """
    directory = directory.absolute()
    listening = listening or Listening()
    if len(set(workers)) != len(workers) or not workers:
        raise RequestFault("a broker serves one worker or more, each with a name of its own")
    enroll_server(directory, authority, names=names, now=now)
    for worker in workers:
        enroll_worker(directory / WORKERS / worker, authority, name=worker, now=now)
    with locked(directory):
        write_over(directory / ACCESS, access_list(workers).encode(), PRIVATE)
        write_over(directory / CONFIGURATION, configuration(directory, listening).encode())
    log.info("broker_configured", port=listening.port, workers=list(workers))
    return directory / CONFIGURATION


def enroll_worker(directory: Path, authority: Authority, *, name: str, now: datetime) -> ClientFiles:
    """A key and a client certificate named `name` for one process of the core, or what is there while it is not yet due.

    Raises RequestFault for a name that is none, TrustFault when the folder belongs to another worker.
    """
    if not _WORKER.fullmatch(name):
        raise RequestFault(f"a worker's name is small letters, digits and '-', not {name[:80]!r}")
    private_directory(directory)
    files = ClientFiles(directory / CLIENT_CERTIFICATE, directory / CLIENT_KEY, directory / CA)
    with locked(directory):
        sweep(directory)
        key = make_key(directory, CLIENT_KEY)
        write_over(files.ca, certificate_pem(authority.certificate))
        if files.certificate.exists() and _still_good(files.certificate, authority, spki(key), name, now):
            return files
        certificate = authority.issue_client_certificate(key.public_key(), name, now)
        write_over(files.certificate, certificate_pem(certificate))
    log.info("worker_enrolled", name=name, until=certificate.not_valid_after_utc.isoformat())
    return files


def access_list(workers: Sequence[str]) -> str:
    """Mosquitto's access list. A pattern holds for every client, %u being the name in its certificate."""
    own = [
        f"pattern write {routes.topic_up('%u')}",
        f"pattern write {routes.topic_will('%u')}",
        f"pattern read {routes.topic_ack('%u')}",
        f"pattern read {routes.topic_down('%u')}",
    ]
    every = [
        f"topic read {routes.topic_up('+')}",
        f"topic read {routes.topic_will('+')}",
        f"topic write {routes.topic_ack('+')}",
        f"topic write {routes.topic_down('+')}",
    ]
    # A `user` line begins a section that lasts to the next one: patterns come first, where they belong to nobody.
    return "\n".join([*own, *(line for worker in workers for line in ("", f"user {worker}", *every))]) + "\n"


def configuration(directory: Path, listening: Listening) -> str:
    """The text of mosquitto.conf. Raises FileFault for a path that the format cannot hold."""
    if any(not part.isprintable() for part in (str(directory), str(listening.crl or ""))):
        raise FileFault(directory, "a path with control characters cannot be written into Mosquitto's configuration")
    template = Template(resources.files("provisioning").joinpath("templates/mosquitto.conf").read_text(encoding="utf-8"))
    server_name(listening.host)
    return template.substitute(
        host=listening.host,
        port=listening.port,
        directory=directory,
        crl=f"crlfile {listening.crl.absolute()}" if listening.crl else "# crlfile: none was given",
        user=f"user {listening.user}" if listening.user else "# user: Mosquitto's own",
        max_packet=MAX_FRAME + MAX_PROPERTIES,
    )


def _still_good(path: Path, authority: Authority, key: bytes, name: str, now: datetime) -> bool:
    certificate = read_certificate(path)
    common = certificate.subject.rfc4514_string()
    if common != f"CN={name}":
        raise TrustFault(f"{path} is the certificate of {common}")
    try:
        authority.check_issued(certificate, now)
    except TrustFault:
        return False
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return spki(certificate) == key and now < start + (end - start) * 2 / 3
