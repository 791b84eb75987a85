"""Words as the search knows them: one way of folding text, for what is indexed and for what is asked.

Hebrew: points are dropped, final letters are the plain ones, geresh and gershayim inside a word vanish (kof-gershayim-gimel is
the same as kof-gimel), and up to two letters that Hebrew writes onto the front of a word (and, the, in, to, as, from, that) are
also taken off. Codes are found whole and by their parts.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

MAX_TEXT = 20_000
"""Characters of one text that are looked at: a long message; what is beyond is not found."""

MAX_TOKENS = 4_000
"""Of one document: keeps a row of the index below a hundred kilobytes."""

MAX_TOKEN = 64
"""Characters; PostgreSQL takes lexemes below 2 KiB, and no code that people search is longer."""

MAX_QUERY = 200
MAX_QUERY_WORDS = 8
"""Of a question: each word costs a look into the index."""

MIN_PREFIX = 2
"""Letters from which the last word may go on: one letter is the beginning of a tenth of everything."""

FRONT = frozenset("והבלכמש")
MAX_FRONT = 2
MIN_STEM = 3
"""Letters put onto a word's front, how many of them are taken off, and how many letters must be left of it."""

LONG_NUMBER = 8
TAILS = (4, 5, 6)
"""People read the last digits of a GTIN or SSCC aloud: numbers of this length are found by tails of these lengths."""

MAX_JOINED = 8
"""Parts of a code, as in PO-2026-0041, that are also indexed as one."""

_FINALS = str.maketrans("ךםןףץ", "כמנפצ")
_DROPPED = frozenset({"Mn", "Me", "Cf"})
_QUOTED = re.compile("(?<=[^\\W_])['\"\u05f3\u05f4\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u02bc\u2032`]+(?=[^\\W_])")
_WORD = re.compile(r"[^\W_]+")
_PIECE = re.compile(r"[0-9]+|[^\W_0-9]+")
_HEBREW = re.compile("[\u05d0-\u05ea]+")
_ROUNDS = 4
"""Folding one character can lay bare another that folds (a ligature in a compatibility form): until nothing changes."""


def fold(text: str) -> str:
    """`text` in the one form in which words are compared. Folding again changes nothing."""
    for _ in range(_ROUNDS):
        folded = _fold_once(text)
        if folded == text:
            break
        text = folded
    return text


def _fold_once(text: str) -> str:
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    bare = "".join(char for char in plain if unicodedata.category(char) not in _DROPPED)
    return _QUOTED.sub("", unicodedata.normalize("NFC", bare.translate(_FINALS)))


def compact(text: str) -> str:
    """A code without what stands between its parts: PO-2026-0041, po 2026 0041 and PO20260041 are one."""
    return "".join(_WORD.findall(fold(text[:MAX_QUERY])))


def tokens(text: str) -> list[str]:
    """What of a text is indexed, each once, in the order of the text."""
    found: dict[str, None] = {}
    for chunk in fold(text[:MAX_TEXT]).split():
        parts = _parts(chunk)
        for part in parts:
            for token in _indexed(part):
                found[token] = None
        if 1 < len(parts) <= MAX_JOINED:
            found["".join(parts)[:MAX_TOKEN]] = None
        if len(found) >= MAX_TOKENS:
            break
    return list(found)[:MAX_TOKENS]


def _parts(chunk: str) -> list[str]:
    return [part[:MAX_TOKEN] for part in _WORD.findall(chunk)]


def _indexed(part: str) -> Iterator[str]:
    yield part
    yield from _stems(part)
    pieces = _PIECE.findall(part)
    for piece in pieces:
        if len(piece) > 1:
            yield piece
        yield from _numbers(piece)


def _stems(part: str) -> Iterator[str]:
    if not _HEBREW.fullmatch(part):
        return
    for taken in range(1, MAX_FRONT + 1):
        if part[taken - 1] not in FRONT or len(part) - taken < MIN_STEM:
            return
        yield part[taken:]


def _numbers(piece: str) -> Iterator[str]:
    if not piece.isdecimal():
        return
    bare = piece.lstrip("0")
    if bare and bare != piece:
        yield bare
    if len(piece) >= LONG_NUMBER:
        yield from (piece[-tail:] for tail in TAILS)


@dataclass(frozen=True, slots=True)
class Term:
    """One of `tokens` must be there; as the beginning of a word where `prefix`."""

    tokens: tuple[str, ...]
    prefix: bool = False

    def met(self, among: frozenset[str]) -> bool:
        if any(token in among for token in self.tokens):
            return True
        return self.prefix and any(word.startswith(self.tokens) for word in among)


Group = tuple[Term, ...]
"""All of the terms must be met."""


@dataclass(frozen=True, slots=True)
class Query:
    """What somebody asks for: every word must be there, each in one of its ways (groups)."""

    words: tuple[tuple[Group, ...], ...]

    def __bool__(self) -> bool:
        return bool(self.words)

    def met(self, among: frozenset[str]) -> bool:
        """Whether a text with these tokens is an answer."""
        return all(any(all(term.met(among) for term in group) for group in groups) for groups in self.words)

    def touches(self, among: frozenset[str]) -> bool:
        """Whether any term is met: what is marked in a snippet."""
        return any(term.met(among) for groups in self.words for group in groups for term in group)


def ask(text: str) -> Query:
    """The question in a search box. The last word may go on, unless something stands behind it already."""
    asked = text[:MAX_QUERY]
    chunks = [parts for chunk in fold(asked).split()[:MAX_QUERY_WORDS] if (parts := _parts(chunk))]
    typing = not asked[-1:].isspace()
    return Query(tuple(_ways(parts, last=typing and place == len(chunks) - 1) for place, parts in enumerate(chunks)))


def _ways(parts: list[str], *, last: bool) -> tuple[Group, ...]:
    ways = [tuple(_term(part, last=last and place == len(parts) - 1) for place, part in enumerate(parts))]
    if len(parts) > 1:
        ways.append((_term("".join(parts)[:MAX_TOKEN], last=last),))
    pieces = [piece for part in parts for piece in _PIECE.findall(part)]
    if len(parts) < len(pieces) <= MAX_JOINED and all(len(piece) > 1 for piece in pieces):
        ways.append(tuple(_term(piece, last=last and place == len(pieces) - 1) for place, piece in enumerate(pieces)))
    return tuple(ways)


def _term(part: str, *, last: bool) -> Term:
    others = list(_stems(part))
    if part.isdecimal() and len(part) >= LONG_NUMBER and part.lstrip("0"):
        others.append(part.lstrip("0"))
    found = tuple(dict.fromkeys([part, *others]))
    return Term(found, last and len(part) >= MIN_PREFIX)


def as_fts5(query: Query, column: str | None = None) -> str:
    """The question as SQLite's FTS5 reads it; every token is a quoted string, so that none can be an operator."""
    text = " AND ".join(_any(" OR ", [_any(" AND ", map(_fts5_term, group)) for group in groups]) for groups in query.words)
    return text if column is None else f"{{{column}}} : ({text})"


def _fts5_term(term: Term) -> str:
    star = " *" if term.prefix else ""
    return _any(" OR ", ['"' + token.replace('"', '""') + '"' + star for token in term.tokens])


def as_tsquery(query: Query) -> str:
    """The question as PostgreSQL's type tsquery reads it; every token is a quoted lexeme."""
    return " & ".join(_any(" | ", [_any(" & ", map(_tsquery_term, group)) for group in groups]) for groups in query.words)


def _tsquery_term(term: Term) -> str:
    star = ":*" if term.prefix else ""
    quoted = (token.replace("\\", "\\\\").replace("'", "''") for token in term.tokens)
    return _any(" | ", [f"'{token}'{star}" for token in quoted])


def _any(between: str, parts: "list[str] | map[str]") -> str:
    return f"({between.join(parts)})"
