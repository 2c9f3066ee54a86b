"""The objects of JSON Lines, or of a JSON array, one by one and in bounded memory; numbers stay as they are written."""

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from services.aggregator.adapters.utf8_blocks import normalised
from services.aggregator.errors import UnreadableFeed
from services.aggregator.rules.reading_progress import Reached
from services.aggregator.rules.typed_values import NESTED, Unfit
from services.aggregator.rules.white_space import IN_BLANK_LINES

MAX_OBJECT = 1 << 20
"""Of one object with all its names, in bytes of a line or characters in an array: four times the longest row."""
MAX_LEVELS = 100
"""Of lists and objects inside each other, in a column that is ignored; in one that is read there may be none."""
BROKEN, TOO_LONG = "format/broken_json", "format/line_too_long"
_RAW = 2_000


class JsonNumber(str):
    """The digits of a number, as the file has them: 1.10 is not 1.1, and 0.1 is no float."""

    __slots__ = ()


class JsonObject(list[tuple[str, Any]]):
    """Names and values in their order; a name may be there twice."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """What stands where an object was expected; `code` is that of the row rule that tells it."""

    code: str
    raw: str


Element = tuple[str, JsonObject] | Fault | None
"""An object with its text, what is none, or a blank line."""


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


DECODER = json.JSONDecoder(
    object_pairs_hook=JsonObject, parse_float=JsonNumber, parse_int=JsonNumber, parse_constant=_no_constant
)


def as_json(value: object, levels: int = MAX_LEVELS) -> str:
    """The text of a decoded value, with its numbers as they were written.

    Raises Unfit for what is nested deeper than `levels`: the decoder takes what would end Python's stack here.
    """
    if isinstance(value, list) and not levels:
        raise Unfit(NESTED)
    if isinstance(value, JsonObject):
        return "{" + ", ".join(f"{_quoted(name)}: {as_json(inner, levels - 1)}" for name, inner in value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(as_json(inner, levels - 1) for inner in value) + "]"
    if isinstance(value, JsonNumber):
        return value
    return _quoted(value)


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def json_lines(path: Path, charset: str, reached: Reached) -> Iterator[Element]:
    """One element for each physical line, the last one included when no line end follows it.

    `reached` hears how many bytes of the file were read.
    """
    for line in _lines(_blocks(path, charset, reached)):
        if isinstance(line, Fault):
            yield line
            continue
        text = line.decode()
        if not text.strip(IN_BLANK_LINES):
            yield None
            continue
        try:
            value = DECODER.decode(text)
        except (ValueError, RecursionError):
            value = None
        yield (text, value) if type(value) is JsonObject else Fault(BROKEN, text)


def _blocks(path: Path, charset: str, reached: Reached) -> Iterator[bytes]:
    with path.open("rb") as source:
        for block, _ in normalised(source, declared=charset):
            yield block
            reached(source.tell())


def _lines(blocks: Iterator[bytes]) -> Iterator[bytes | Fault]:
    carry, head = b"", None
    for block in blocks:
        *whole, rest = block.split(b"\n")
        for line in whole:
            line = carry + line if carry else line
            carry = b""
            if head is not None or len(line) > MAX_OBJECT:
                yield _too_long(line if head is None else head)
                head = None
            else:
                yield line
        if head is None:
            carry += rest
        if len(carry) > MAX_OBJECT:
            head, carry = carry[:_RAW], b""
    if head is not None:
        yield _too_long(head)
    elif carry:
        yield carry


def _too_long(head: bytes) -> Fault:
    return Fault(TOO_LONG, head[:_RAW].decode("utf-8", "ignore"))


def json_array(path: Path, charset: str, reached: Reached) -> Iterator[Element]:
    """The elements of the array that is the whole file. `reached` hears how many of its bytes were read.

    Raises UnreadableFeed where it is no JSON array any more: what follows has no reading.
    """
    cursor = _Cursor(_texts(_blocks(path, charset, reached)))
    cursor.take("[")
    number = 0
    if cursor.peek() == "]":
        cursor.take("]")
    else:
        while True:
            number += 1
            text, value = cursor.value(number)
            yield (text, value) if type(value) is JsonObject else Fault(BROKEN, text)
            if cursor.peek() != ",":
                break
            cursor.take(",")
        if not cursor.take("]"):
            raise _broken(number)
    if cursor.peek():
        raise UnreadableFeed(BROKEN, f"Something follows the JSON array, which ends after {number:,} elements.")


def _texts(blocks: Iterator[bytes]) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    return (text for block in blocks if (text := decoder.decode(block)))


class _Cursor:
    """A place in a text of which only what is needed is held."""

    _SPACE = re.compile(r"[ \t\n\r]*")

    def __init__(self, texts: Iterator[str]) -> None:
        self._texts = texts
        self._text = ""
        self._at = 0
        self._ended = False

    def _more(self) -> None:
        block = next(self._texts, "")
        self._ended = not block
        self._text = self._text[self._at :] + block
        self._at = 0

    def peek(self) -> str:
        """The next character that is no white space; '' at the end."""
        while True:
            space = self._SPACE.match(self._text, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if self._ended:
                return ""
            self._more()

    def take(self, character: str) -> bool:
        """Passes over this character, if it comes next."""
        if self.peek() != character:
            return False
        self._at += 1
        return True

    def value(self, number: int) -> tuple[str, Any]:
        """The next value and its text. It may be cut off by the end of what is held: then more is asked for."""
        self.peek()
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                if self._ended or len(self._text) - self._at > MAX_OBJECT:
                    raise _broken(number) from error
            else:
                # A number goes on for as long as there are digits.
                if end < len(self._text) or self._ended:
                    text = self._text[self._at : end]
                    self._at = end
                    return text, value
            self._more()


def _broken(number: int) -> UnreadableFeed:
    message = (
        f"The JSON array breaks off or is broken at element {number:,} (counted from 1), or that element is longer "
        "than 1 MiB: what follows cannot be read."
    )
    return UnreadableFeed(BROKEN, message)
