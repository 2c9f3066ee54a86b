"""A question as words, and the names that may stand in it."""

import re
import unicodedata
from dataclasses import dataclass

LONGEST_NAME_WORDS = 8
"""A name of more words than this is found only between quotation marks."""

_CHUNK = re.compile(
    r"""
    "(?P<double>[^"]+)" | “(?P<curly>[^”]+)” | (?<!\w)'(?P<single>[^']+)'(?!\w)   # a name, marked as one
    | (?P<plain>[^\s,;"“”]+)
    """,
    re.VERBOSE,
)
_EDGES = ".?!:()[]"


@dataclass(frozen=True, slots=True)
class Word:
    """`plain` is for comparison, lower-cased, without punctuation and without 's; [start, end) is where it stands."""

    plain: str
    start: int
    end: int
    quoted: str | None = None
    opens_sentence: bool = False


def split_words(question: str) -> list[Word]:
    """The words in order; a name between quotation marks is one word."""
    words: list[Word] = []
    opens = True
    for chunk in _CHUNK.finditer(question):
        quoted = chunk["double"] or chunk["curly"] or chunk["single"]
        if quoted is not None:
            words.append(Word(_collapse(quoted).lower(), chunk.start(), chunk.end(), _collapse(quoted), opens))
            opens = False
            continue
        text = chunk["plain"]
        plain = text.strip(_EDGES).replace("\u2019", "'").lower().removesuffix("'s")
        if plain:
            # Brackets may belong to a name; the marks that end a sentence do not.
            kept = text.rstrip(".?!:")
            words.append(Word(plain, chunk.start(), chunk.start() + len(kept), None, opens))
        opens = text.endswith((".", "?", "!", ":")) or (opens and not plain)
    return words


def name_texts(question: str, words: list[Word], first: int, last: int) -> list[str]:
    """How a name that spans these words (both included) may be spelt: as written, without brackets, without 's."""
    if first == last and (quoted := words[first].quoted) is not None:
        return [quoted]
    written = _collapse(question[words[first].start : words[last].end])
    texts = [written, written.strip(_EDGES)]
    if re.search(r"['\u2019]s?$", written):
        texts.append(re.sub(r"['\u2019]s?$", "", written))
    return [text for text in dict.fromkeys(texts) if text]


def flat(text: str) -> str:
    """For comparison: lower-cased, single spaces."""
    return " ".join(text.lower().split())


def _collapse(text: str) -> str:
    """As names are stored: NFC, single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).split())
