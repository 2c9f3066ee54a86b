"""Bytes → text → records, one character at a time."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass

from tests.oracle.fatal import Fatal

MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def decode(content: bytes, charset: str | None) -> str:
    """The text with plain newlines. A byte order mark rules over a declared character set, which rules over UTF-8."""
    mark, encoding = next(((m, e) for m, e in MARKS if content.startswith(m)), (b"", charset or "utf-8"))
    try:
        text = content[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        raise Fatal("format/invalid_encoding", offset=len(mark) + error.start) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


@dataclass(frozen=True)
class Record:
    """`line`: the physical line on which it starts. `fault`: why its cells cannot be trusted."""

    line: int
    raw: str
    cells: list[str]
    fault: str | None


def split_records(text: str, delimiter: str, line: int = 1) -> Iterator[Record]:
    """Every record, blank ones included."""
    at = 0
    while at < len(text):
        end = text.find("\n", at) + 1 or len(text)
        if '"' not in text[at:end]:
            raw = text[at:end].removesuffix("\n")
            yield Record(line, raw, raw.split(delimiter), None)
        else:
            cells, fault, end = _read_record(text, at, delimiter)
            yield Record(line, text[at:end].removesuffix("\n"), cells, fault)
        line += text.count("\n", at, end)
        at = end


def _read_record(text: str, at: int, delimiter: str) -> tuple[list[str], str | None, int]:
    cells: list[str] = []
    fault: str | None = None
    while True:
        cell, state, at = _read_cell(text, at, delimiter)
        cells.append(cell)
        if state == "quoted":
            return cells, "format/unclosed_quote", at
        if state == "stray":
            fault = "format/stray_quote"
        if at == len(text):
            return cells, fault, at
        at += 1
        if text[at - 1] == "\n":
            return cells, fault, at


def _read_cell(text: str, at: int, delimiter: str) -> tuple[str, str, int]:
    """Its value, the state in which it ended, and where: at the delimiter, line end or end of text that ended it."""
    state, value = "start", ""
    while at < len(text):
        character = text[at]
        if state != "quoted" and character in (delimiter, "\n"):
            break
        if state == "start":  # blanks so far
            if character == '"':
                state, value = "quoted", ""
            else:
                state = "start" if character == " " else "plain"
                value += character
        elif state == "plain":
            value += character
        elif state == "quoted":
            if character == '"':
                state = "quote in quotes"
            else:
                value += character
        elif state == "quote in quotes" and character == '"':
            state = "quoted"
            value += '"'
        elif state in ("quote in quotes", "closed") and character == " ":
            state = "closed"
        else:
            state = "stray"
        at += 1
    return value, state, at
