"""Turns a template and plain data into PDF or a picture. The same data gives the same bytes."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Any

import typst

from cloud.errors import Refused
from cloud.papers.faults import TypesetFault
from cloud.papers.fonts import load_fonts

TEMPLATES = Path(__file__).parent / "templates"

MAX_WAITING = 64
"""Papers at once in one process. One takes some hundredths of a second; whoever comes behind so many asks again."""


@dataclass(slots=True)
class Typesetter:
    """One for a process. `browser_libs` is the folder whose fonts the screens use too; they are loaded when first needed."""

    browser_libs: Path
    _lock: Lock = field(default_factory=Lock, repr=False)
    _waiting: int = field(default=0, init=False, repr=False)

    async def pdf(self, template: str, data: Mapping[str, Any], *, title: str, made_at: datetime) -> bytes:
        """The document, off the event loop. Raises TypesetFault, FontsMissing, Refused `papers_busy`."""
        if self._waiting >= MAX_WAITING:
            raise Refused("papers_busy")
        self._waiting += 1
        try:
            return await asyncio.to_thread(self.pdf_now, template, data, title=title, made_at=made_at)
        finally:
            self._waiting -= 1

    def pdf_now(self, template: str, data: Mapping[str, Any], *, title: str, made_at: datetime) -> bytes:
        """The same in the caller's own thread."""
        found = self._compile(template, {**data, "title": title}, "pdf", made_at=made_at)
        return found if isinstance(found, bytes) else found[0]

    def pictures_now(self, template: str, data: Mapping[str, Any], *, dots_per_inch: float) -> list[bytes]:
        """Each page as PNG, in the caller's own thread."""
        found = self._compile(template, {"title": "", **data}, "png", dots_per_inch=dots_per_inch)
        return [found] if isinstance(found, bytes) else found

    def _compile(
        self, template: str, data: Mapping[str, Any], form: Any, *, made_at: datetime | None = None, dots_per_inch: float = 144
    ) -> bytes | list[bytes]:
        fonts = load_fonts(self.browser_libs)
        # Data goes in as JSON and is never read as markup.
        inputs = {"data": json.dumps(data, ensure_ascii=False)}
        # The compiler's own caches serve one thread at a time.
        with self._lock:
            compiler = typst.Compiler(TEMPLATES / template, root=TEMPLATES, font_paths=fonts, ignore_system_fonts=True)
            try:
                found = compiler.compile(format=form, ppi=dots_per_inch, sys_inputs=inputs, timestamp=made_at)
            except typst.TypstError as exc:
                raise TypesetFault(f"{template}: {exc.message}") from exc
        if found is None:  # pragma: no cover - the compiler gives bytes wherever no file is named
            raise TypesetFault(f"{template}: nothing came out")
        return found
