"""Turns objects that name their values, each perhaps others than the last, into rows under one header."""

from collections.abc import Callable, Iterator
from itertools import chain, islice

from services.aggregator.adapters.canonical_csv import CanonicalCsv
from services.aggregator.adapters.json_records import Element, Fault, JsonNumber, JsonObject, as_json
from services.aggregator.errors import UnreadableFeed
from services.aggregator.rules.columns import known_names
from services.aggregator.rules.file_signatures import EMPTY
from services.aggregator.rules.typed_values import NESTED, Unfit, Writing, fields_of

MAX_COLUMNS = 1_000
_MAX_HEADER = 1 << 16
_LOOKED_AT_FIRST = 1_000
_NEEDED = "Needed are product_name or product_id, quantity, and amount or revenue."


def write_objects(elements: Callable[[], Iterator[Element]], out: CanonicalCsv, writing: Writing) -> None:
    """Writes a header of every name that occurs, then one line for each element.

    Most files have all their names in their first objects, and are read once. If another turns up later, the rest is
    looked through for names, and all is written again. Raises UnreadableFeed when the names are no feed's.
    """
    names: dict[str, None] = {}
    looked_at = 0
    for element in islice(elements(), _LOOKED_AT_FIRST):
        looked_at += element is not None
        _add_names(names, element)
    if known_names(list(names)) < 2:
        for element in elements():
            looked_at += element is not None
            _add_names(names, element)
    check_header(list(names), is_empty=not looked_at)
    remaining = elements()
    unforeseen = _write(remaining, list(names), out, writing)
    if unforeseen is not None:
        for element in chain([unforeseen], remaining):
            _add_names(names, element)
        check_header(list(names), is_empty=False)
        out.start_again()
        _write(elements(), list(names), out, writing)


def check_header(names: list[str], *, is_empty: bool) -> None:
    """Raises UnreadableFeed for a file whose named values are not those of a feed."""
    if known_names(names) >= 2:
        return
    if is_empty:
        raise UnreadableFeed(EMPTY.code, EMPTY.message)
    shown = ", ".join(name[:60] for name in names[:20]) or "none"
    raise UnreadableFeed("format/unknown_layout", f"The names of the values are not known ({shown}). {_NEEDED}")


def too_many_columns() -> UnreadableFeed:
    """For a header beyond what is read with bounded memory."""
    message = f"The file names more than {MAX_COLUMNS:,} columns, or their names are too long."
    return UnreadableFeed("format/too_many_columns", message)


def _add_names(names: dict[str, None], element: Element) -> None:
    if not isinstance(element, tuple):
        return
    before = len(names)
    for name, _ in element[1]:
        names[name] = None
    if len(names) > before and (len(names) > MAX_COLUMNS or sum(map(len, names)) > _MAX_HEADER):
        raise too_many_columns()


def _write(elements: Iterator[Element], names: list[str], out: CanonicalCsv, writing: Writing) -> Element:
    """Writes all and gives None, or stops at the first element that has another name, and gives it back."""
    fields = fields_of(names)
    columns = {name: (at, field) for at, (name, field) in enumerate(zip(names, fields, strict=True))}
    out.row(names)
    for element in elements:
        if element is None:
            out.blank()
        elif isinstance(element, Fault):
            out.fault(element.code, element.raw)
        else:
            raw, pairs = element
            try:
                out.row(_cells(pairs, columns, writing))
            except Unfit as unfit:
                out.fault(unfit.code, raw)
            except KeyError:
                return element
    return None


def _cells(pairs: JsonObject, columns: dict[str, tuple[int, str | None]], writing: Writing) -> list[str]:
    """Raises Unfit, and KeyError for a name that is not among the columns."""
    cells = [""] * len(columns)
    if len(dict(pairs)) != len(pairs):
        raise Unfit("format/repeated_key")
    for name, value in pairs:
        at, field = columns[name]
        kind = type(value)
        if kind is str:
            cells[at] = value
        elif kind is JsonNumber:
            cells[at] = writing.number(value, field)
        elif kind is bool:
            cells[at] = writing.boolean(value, field)
        elif value is not None:
            if field:
                raise Unfit(NESTED)
            cells[at] = as_json(value)
    return cells
