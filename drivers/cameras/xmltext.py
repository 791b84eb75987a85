"""XML of strangers, read safely: no document type, no entities, no other encoding than UTF-8, and not much of it."""

from xml.etree import ElementTree as ET

from drivers.api import WireFault

MAX_XML = 256 * 1024
"""Bytes of one answer: a camera with 16 profiles says 40 kB."""


def read_xml(data: bytes) -> ET.Element:
    """The root element. Raises WireFault for what is no XML, or has what a camera has no reason to send."""
    if len(data) > MAX_XML:
        raise WireFault(f"an XML answer of more than {MAX_XML} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise WireFault("an XML answer that is not UTF-8") from exc
    # Entities can only be declared in a document type; without one there is nothing that expands or loads.
    if "<!DOCTYPE" in text:
        raise WireFault("an XML answer with a document type")
    try:
        return ET.fromstring(text)  # noqa: S314 - what makes it unsafe was refused above
    except (ET.ParseError, ValueError) as exc:
        raise WireFault("an answer that is no XML") from exc


def text_of(root: ET.Element, path: str) -> str | None:
    """Text of the first element at `path` (`{namespace}name/...`), stripped; None when it is not there or empty."""
    found = root.find(path)
    return (found.text or "").strip() or None if found is not None else None
