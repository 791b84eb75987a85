"""Words of the search: folding, Hebrew fronts, codes, and questions that can never be operators."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloud.around.words import (
    MAX_QUERY_WORDS,
    MAX_TOKEN,
    MAX_TOKENS,
    as_fts5,
    as_tsquery,
    ask,
    compact,
    fold,
    tokens,
)

FOLDED = [
    ("שָׁלוֹם", "שלומ"),  # points
    ("שלום", "שלומ"),  # final letters
    ("ק״ג", "קג"),
    ('ק"ג', "קג"),
    ("ק''ג", "קג"),
    ("ק\u201dג", "קג"),
    ("ג׳ירפה", "גירפה"),
    ("ג'ירפה", "גירפה"),
    ("צה״ל", "צהל"),
    ("\ufb2a\ufb4bלום", "שולומ"),  # presentation forms
    ("בית־ספר", "בית־ספר"),  # the maqaf stays, and parts words
    ("Crème BRÛLÉE", "creme brulee"),
    ("Straße", "strasse"),
    ("ＡＢＣ１２", "abc12"),
    ("don’t", "dont"),
    ("L\u200f-\u202a26", "l-26"),  # marks of direction
    ("½ ²", "1⁄2 2"),
]


@pytest.mark.parametrize(("given", "expected"), FOLDED)
def test_text_is_folded_into_one_form(given: str, expected: str) -> None:
    assert fold(given) == expected


@given(st.text(max_size=200))
@example("'a'b'")
@example("ﬀ״א")
@example("\u0345\u03b1\u1fb3")
def test_folding_again_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text(max_size=200))
def test_folded_text_has_the_same_tokens(text: str) -> None:
    assert tokens(fold(text)) == tokens(text)


@given(st.text(alphabet=st.characters(min_codepoint=0x5D0, max_codepoint=0x5EA), min_size=1, max_size=12))
def test_points_and_composition_make_no_difference(word: str) -> None:
    pointed = "".join(letter + "\u05b8" for letter in word)
    assert tokens(pointed) == tokens(word) == tokens(unicodedata.normalize("NFD", word))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("הסלמון", {"הסלמונ", "סלמונ"}),
        ("והסלמון", {"והסלמונ", "הסלמונ", "סלמונ"}),
        ("ושבסלמון", {"ושבסלמונ", "שבסלמונ", "בסלמונ"}),  # two at most
        ("מלח", {"מלח"}),  # two letters would be left
        ("דג", {"דג"}),
        ("PO-2026-0041", {"po", "2026", "0041", "41", "po20260041"}),
        ("07290001234563", {"07290001234563", "7290001234563", "4563", "34563", "234563"}),
        ("L2611/A", {"l2611", "2611", "a", "l2611a"}),
        ("dana@galil.co.il", {"dana", "galil", "co", "il", "danagalilcoil"}),
        ("12.340", {"12", "340", "12340"}),
        ("", set()),
        ("--- ״ !!", set()),
    ],
)
def test_tokens_of_a_text(text: str, found: set[str]) -> None:
    assert set(tokens(text)) == found


def test_long_texts_and_words_are_cut() -> None:
    assert len(tokens(" ".join(str(number) for number in range(10 * MAX_TOKENS)))) <= MAX_TOKENS
    assert max(map(len, tokens("x" * 10_000))) <= MAX_TOKEN


@pytest.mark.parametrize("text", ["PO-2026-0041", "po 2026 0041", "PO20260041", "po/2026.0041"])
def test_code_is_one_whatever_stands_between_its_parts(text: str) -> None:
    assert compact(text) == "po20260041"


def test_question_has_so_many_words_at_most() -> None:
    assert len(ask("a b c d e f g h i j k l m n").words) == MAX_QUERY_WORDS


def test_only_the_last_word_may_go_on() -> None:
    first, last = ask("atlantic sal").words
    assert [term.prefix for group in first for term in group] == [False]
    assert [term.prefix for group in last for term in group] == [True]
    assert not any(term.prefix for groups in ask("atlantic sal ").words for group in groups for term in group)


@given(st.text(max_size=100))
@example('"a" OR b')
@example("a' | 'b\\")
def test_operators_never_leave_their_quotes(text: str) -> None:
    query = ask(text)
    if not query:
        return
    assert re.fullmatch(r"(AND|OR|[ ()*])*", "".join(as_fts5(query).split('"')[0::2]))
    assert re.fullmatch(r"(:\*|[ ()&|])*", "".join(as_tsquery(query).split("'")[0::2]))


@given(st.text(min_size=1, max_size=60))
def test_text_answers_its_own_words(text: str) -> None:
    query = ask(text)
    if query:
        assert query.met(frozenset(tokens(text)))
