"""TLS contexts for both ends: 1.2 or later, authenticated encryption only, our own root and none of the system's."""

import ssl
from pathlib import Path

from provisioning.errors import FileFault, NotThere

# TLS 1.2 suites with forward secrecy and AEAD (RFC 9325, 4.2). TLS 1.3 has no others, and this list does not touch it.
TLS12_SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!PSK"


def client_ssl_context(*, ca: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    """For a box: the server must be named as it was called and come from `ca`; the box shows its certificate."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT, ca, certificate, key)
    context.check_hostname = True
    context.hostname_checks_common_name = False
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def server_ssl_context(cert: Path, key: Path, ca: Path, require_client: bool) -> ssl.SSLContext:
    """For a server: clients without a certificate from `ca` are refused in the handshake.

    With `require_client` false a client may come without one (a browser); one that it does show is verified all the same.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, ca, cert, key)
    context.verify_mode = ssl.CERT_REQUIRED if require_client else ssl.CERT_OPTIONAL
    # A resumed session would carry yesterday's verification: each connection proves itself anew.
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0
    return context


def _context(protocol: int, ca: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    for path in (ca, certificate, key):
        if not path.exists():
            raise NotThere(path)
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(TLS12_SUITES)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    try:
        context.load_verify_locations(cafile=ca)
    except (ssl.SSLError, OSError) as exc:
        raise FileFault(ca, "not a certificate that can be trusted") from exc
    try:
        context.load_cert_chain(certificate, key)
    except (ssl.SSLError, OSError) as exc:
        raise FileFault(certificate, f"does not make a pair with {key.name}") from exc
    return context
