"""Reads a multipart/form-data body (RFC 7578) as it comes: bytes in, events out, nothing kept of the file."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from services.ingest.errors import BrokenMultipart, InvalidField, NotMultipart
from services.ingest.rules.file_names import offered_name

FILE_FIELD = "file"
MAX_PARTS = 32
MAX_FIELD_BYTES = 4_096
MAX_PART_HEADERS = 8
MAX_PART_HEADER_BYTES = 8_192
MAX_FORM_OVERHEAD_BYTES = 1024 * 1024
"""What a body may hold beside the file: boundaries, part headers, fields, an epilogue."""


@dataclass(frozen=True, slots=True)
class Field:
    """A form field, whole."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class FileStarted:
    """A part that is a file: its field's name, and the file's name as the client gave it ('' if it gave none)."""

    field_name: str
    offered_name: str


@dataclass(frozen=True, slots=True)
class FileBytes:
    """A piece of the file; it is a view of the chunk that was fed, so use it before the next one."""

    data: memoryview


@dataclass(frozen=True, slots=True)
class FileEnded:
    """The file is complete; the body need not be."""


FormEvent: TypeAlias = Field | FileStarted | FileBytes | FileEnded


def boundary_of(content_type: str | None) -> bytes:
    """The boundary named by a Content-Type header. Raises NotMultipart, BrokenMultipart."""
    media_type, parameters = parse_options_header(content_type)
    if media_type != b"multipart/form-data":
        raise NotMultipart
    boundary = parameters.get(b"boundary", b"")
    if not boundary:
        raise BrokenMultipart("the Content-Type header names no boundary")
    return boundary


class FormReader:
    """One body. The same bytes give the same events (file bytes joined), however they are cut into chunks."""

    def __init__(self, boundary: bytes) -> None:
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._part_begins,
                    "on_header_field": self._header_name_comes,
                    "on_header_value": self._header_value_comes,
                    "on_header_end": self._header_ends,
                    "on_headers_finished": self._headers_end,
                    "on_part_data": self._data_comes,
                    "on_part_end": self._part_ends,
                    "on_end": self._body_ends,
                },
                max_header_count=MAX_PART_HEADERS,
                max_header_size=MAX_PART_HEADER_BYTES,
            )
        except FormParserError as error:
            raise BrokenMultipart(str(error)) from error
        self._events: list[FormEvent] = []
        self._complete = False
        self._parts = 0
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._headers: dict[str, bytes] = {}
        self._field_name: str | None = None
        self._field_value = bytearray()

    def feed(self, chunk: bytes) -> Iterator[FormEvent]:
        """What `chunk` completes. An error is raised after the events that precede it.

        Raises BrokenMultipart, and InvalidField for a field that is too long or no UTF-8.
        """
        failure: Exception | None = None
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            failure = BrokenMultipart(str(error))
        except (BrokenMultipart, InvalidField) as error:
            failure = error
        events, self._events = self._events, []
        yield from events
        if failure:
            raise failure

    def finish(self) -> None:
        """Call it when the body has ended. Raises BrokenMultipart if its last boundary is missing."""
        if not self._complete:
            raise BrokenMultipart("the body ends before its closing boundary")

    def _part_begins(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise BrokenMultipart(f"more than {MAX_PARTS} parts")
        self._headers = {}

    def _header_name_comes(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _header_value_comes(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_ends(self) -> None:
        name = self._header_name.decode("latin-1").lower()
        if name in self._headers:
            raise BrokenMultipart(f"a part repeats the header {name}")
        self._headers[name] = bytes(self._header_value)
        self._header_name.clear()
        self._header_value.clear()

    def _headers_end(self) -> None:
        encoding = self._headers.get("content-transfer-encoding", b"binary").strip().lower()
        if encoding not in (b"binary", b"7bit", b"8bit"):
            # Storing it as it is would store something other than the file.
            raise BrokenMultipart("a part has a Content-Transfer-Encoding; RFC 7578 rules it out")
        header = self._headers.get("content-disposition", b"")
        disposition, parameters = parse_options_header(header)
        if disposition != b"form-data" or b"name" not in parameters:
            raise BrokenMultipart("a part has no Content-Disposition of form-data with a name")
        name = parameters[b"name"].decode("utf-8", "replace")
        file_name = offered_name(header, parameters)
        if file_name is not None or name == FILE_FIELD:
            self._field_name = None
            self._events.append(FileStarted(name, file_name or ""))
        else:
            self._field_name = name

    def _data_comes(self, data: bytes, start: int, end: int) -> None:
        if self._field_name is None:
            self._events.append(FileBytes(memoryview(data)[start:end]))
            return
        self._field_value += data[start:end]
        if len(self._field_value) > MAX_FIELD_BYTES:
            raise InvalidField(f"the field {self._field_name[:64]!r} is longer than {MAX_FIELD_BYTES} bytes")

    def _part_ends(self) -> None:
        if self._field_name is None:
            self._events.append(FileEnded())
            return
        try:
            value = self._field_value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidField(f"the field {self._field_name[:64]!r} is not UTF-8") from error
        self._field_value.clear()
        self._events.append(Field(self._field_name, value))

    def _body_ends(self) -> None:
        self._complete = True
