"""Random tables of sales, and random dialects to write them in. Knows neither oracle nor reader."""

from dataclasses import dataclass, replace

from hypothesis import strategies as st

from tests.oracle.random_cells import DATE_FORMATS, Cells, cells
from tests.oracle.rows import Asked

NAMES_OF_COLUMNS = {
    "product_id": ["product_id", "SKU", "Seller SKU", "asin"],
    "product_name": ["product_name", "Title", "Item-Name", "PRODUCT"],
    "quantity": ["quantity", "Qty", "Units Sold"],
    "amount": ["amount", "Unit Price", "price"],
    "revenue": ["revenue", "Total", "line-total"],
    "transaction_id": ["transaction_id", "Order ID", "transaction"],
    "line_id": ["line_id", "Line Item ID", "order-item-id"],
    "category": ["category", "Product Category"],
    "currency": ["currency", "Currency Code"],
    "occurred_at": ["occurred_at", "Date", "Purchase-Date", "timestamp"],
    "seller_id": ["seller_id", "Merchant ID"],
}
COMMISSIONED = ["product_name", "quantity", "amount", "revenue"]


@dataclass(frozen=True)
class Table:
    """`header` is empty for a feed without one. `asked`: with which options it is to be read."""

    fields: list[str]
    header: list[str]
    rows: list[list[str]]
    asked: Asked


@dataclass(frozen=True)
class Dialect:
    """How a table is written."""

    delimiter: str = ","
    line_ends: tuple[str, ...] = ("\n",)
    encoding: str = "utf-8"
    quote_all: bool = False
    blanks_around_quotes: bool = False
    sep_line: bool = False
    last_line_end: bool = True
    trailing_delimiters: int = 0
    blank_lines: int = 0

    @property
    def charset(self) -> str | None:
        """What has to be declared."""
        return self.encoding if self.encoding in ("cp1252", "iso8859-15") else None


@dataclass(frozen=True)
class Feed:
    """A file as a seller sends it."""

    content: bytes
    asked: Asked


@st.composite
def tables(draw: st.DrawFn, *, options: bool = False, ids: bool = True, odd: bool = True) -> Table:
    """`options`: it may need some to be read. `ids`: rows may name transactions. `odd`: cells may be wrong."""
    has_header = draw(st.integers(0, 4)) > 0
    separator = draw(st.sampled_from(".,")) if options else "."
    fields, names = draw(_columns(ids=ids)) if has_header else (COMMISSIONED, [])
    dated = options and "occurred_at" in fields
    date_format = draw(st.sampled_from([None, *sorted(DATE_FORMATS)])) if dated else None
    of = cells(separator, date_format)
    rows = draw(st.lists(_rows(fields, of, odd=odd), max_size=10))
    if rows and "transaction_id" in fields:
        rows += draw(st.lists(_repeats(rows, fields, of), max_size=3))
    return Table(fields, names, rows, Asked(date_format=date_format, decimal_separator=separator))


@st.composite
def _repeats(draw: st.DrawFn, rows: list[list[str]], fields: list[str], of: Cells) -> list[str]:
    """A row of a transaction that is there already; mostly one of its values is another."""
    row = draw(st.sampled_from(rows))
    at = fields.index("transaction_id")
    row[at] = row[at] or "t4"
    again = list(row)
    name = draw(st.sampled_from([name for name in fields if name[0] != "?"]))
    if name != "transaction_id":
        again[fields.index(name)] = draw(of.fine[name])
    return again


@st.composite
def _columns(draw: st.DrawFn, *, ids: bool) -> tuple[list[str], list[str]]:
    fields = ["quantity"]
    fields += draw(st.sampled_from([["product_name"], ["product_id"], ["product_name", "product_id"]]))
    fields += draw(st.sampled_from([["amount"], ["revenue"], ["amount", "revenue"]]))
    optional = ["category", "currency", "occurred_at", "seller_id"] + (["transaction_id", "line_id"] if ids else [])
    fields += draw(st.lists(st.sampled_from(optional), unique=True))
    others = draw(st.lists(st.sampled_from(["Colour", "Note", "", "rejected_code", "Rejected Line"]), max_size=2))
    order = draw(st.permutations([*fields, *(f"?{name}" for name in others)]))
    names = [name[1:] if name[0] == "?" else draw(_spelling(NAMES_OF_COLUMNS[name])) for name in order]
    while names[-1] == "":  # a last column without a name is a trailing delimiter
        names.pop()
    return list(order[: len(names)]), names


@st.composite
def _spelling(draw: st.DrawFn, names: list[str]) -> str:
    name = draw(st.sampled_from(names))
    return draw(st.sampled_from([name, name.upper(), name.replace("_", " "), f" {name} ", name.replace(" ", "")]))


@st.composite
def _rows(draw: st.DrawFn, fields: list[str], of: Cells, *, odd: bool) -> list[str]:
    spoiled: set[str] = set()
    if odd and draw(st.integers(0, 2)) == 0:
        spoiled = draw(st.sets(st.sampled_from(fields), max_size=2))
    row = []
    for name in fields:
        if name[0] == "?":
            row.append(draw(st.sampled_from(["", "red", "=1", "a\nb"])))
        else:
            row.append(draw(of.odd[name] if name in spoiled else of.fine[name]))
    if {"amount", "revenue"} <= set(fields) and not spoiled and draw(st.integers(0, 2)) == 0:
        for name, cell in zip(("quantity", "amount", "revenue"), draw(st.sampled_from(of.triples)), strict=True):
            row[fields.index(name)] = cell
    return row


@st.composite
def dialects(draw: st.DrawFn, *, options: bool = False) -> Dialect:
    """`options`: its character set may have to be declared."""
    encodings = [
        "utf-8",
        "utf-8",
        "utf-8-sig",
        "utf-16-le",
        "utf-16-be",
        *(["cp1252", "iso8859-15"] if options else []),
    ]
    ends = st.sampled_from([("\n",), ("\r\n",), ("\r",), ("\n", "\r\n", "\r")])
    return Dialect(
        delimiter=draw(st.sampled_from(",;\t|")),
        line_ends=draw(ends),
        encoding=draw(st.sampled_from(encodings)),
        quote_all=draw(st.booleans()),
        blanks_around_quotes=draw(st.integers(0, 4)) == 0,
        sep_line=draw(st.integers(0, 5)) == 0,
        last_line_end=draw(st.booleans()),
        trailing_delimiters=draw(st.sampled_from([0, 0, 0, 1, 3])),
        blank_lines=draw(st.sampled_from([0, 0, 0, 1, 2])),
    )


FAULTS = ["blank", "spaces", "delimiters", "few", "many", "stray", "stray over two lines", "lone quote", "quote inside"]


@st.composite
def feeds(draw: st.DrawFn, *, options: bool = False) -> Feed:
    """A random table in a random dialect, with lines between its rows that are no rows, or broken ones."""
    table, dialect = draw(tables(options=options)), draw(dialects(options=options))
    if not table.header:
        table, dialect = _only_one_delimiter(table), replace(dialect, delimiter=draw(st.sampled_from("|\t")))
    lines = [(write_row(row, dialect)) for row in table.rows]
    for fault in draw(st.lists(st.sampled_from(FAULTS), max_size=3 if table.header else 1)):
        at = draw(st.integers(0, len(lines)))
        lines.insert(at, _broken(fault, len(table.fields), dialect.delimiter))
    if draw(st.integers(0, 7)) == 0 and (table.header or len(lines) > 3):
        lines.append('x"' if draw(st.booleans()) else '"never closed' + dialect.delimiter + "1\n\nthe end")
    return file_of(table, dialect, lines)


def _only_one_delimiter(table: Table) -> Table:
    """Without a header other delimiters in the cells could make four columns of another kind; whole rows are enough."""
    fine = ["Tee", "1", "2", "2"]
    rows = [[cell.translate({ord(c): None for c in "|\t"}) for cell in row] for row in table.rows]
    return replace(table, rows=[fine, fine, fine, *rows])


def _broken(fault: str, width: int, delimiter: str) -> str:
    cells_of_row = ["1"] * width
    return {
        "blank": "",
        "spaces": " \u3000 ",
        "delimiters": delimiter * (width + 1),
        "few": delimiter.join(cells_of_row[1:]),
        "many": delimiter.join([*cells_of_row, "", "more"]),
        "stray": delimiter.join(['"Tee"x', *cells_of_row[1:]]),
        "stray over two lines": delimiter.join(['"T\nee" "x"', *cells_of_row[1:]]),
        "lone quote": delimiter.join([*cells_of_row[1:], 'a"b']),
        "quote inside": delimiter.join(['5" x "7"', *cells_of_row[1:]]),
    }[fault]


def write_row(row: list[str], dialect: Dialect) -> str:
    return (
        dialect.delimiter.join(_cell(cell, dialect) for cell in row) + dialect.delimiter * dialect.trailing_delimiters
    )


def _cell(cell: str, dialect: Dialect) -> str:
    if not (dialect.quote_all or cell.lstrip(" ").startswith('"') or dialect.delimiter in cell or "\n" in cell):
        return cell
    quoted = '"' + cell.replace('"', '""') + '"'
    return f" {quoted}  " if dialect.blanks_around_quotes else quoted


def file_of(table: Table, dialect: Dialect, lines: list[str] | None = None) -> Feed:
    """The table's header and `lines` (its rows, if not given) as bytes."""
    written = [write_row(row, dialect) for row in table.rows] if lines is None else lines
    header = [write_row(table.header, dialect)] if table.header else []
    sep = [f"sep={dialect.delimiter}"] if dialect.sep_line else []
    text = "\n".join([*sep, *[""] * dialect.blank_lines, *header, *written])
    text += "\n" if dialect.last_line_end else ""
    ends = dialect.line_ends
    ended = "".join(part + ends[at % len(ends)] for at, part in enumerate(text.split("\n")))
    last = text.count("\n") % len(ends)
    content = _encode(ended.removesuffix(ends[last]), dialect.encoding)
    return Feed(content, replace(table.asked, charset=dialect.charset))


def _encode(text: str, encoding: str) -> bytes:
    if encoding.startswith("utf-16"):
        text = "\ufeff" + text
    return text.encode(encoding, "replace" if not encoding.startswith("utf") else "strict")


UNREADABLE = [
    *("no quantity", "no money", "two of a column", "five columns", "three columns", "nothing", "unknown sep"),
    *("broken bytes", "half a character"),
]


@st.composite
def unreadable_feeds(draw: st.DrawFn) -> Feed:
    """What no feed can be read from, in a random dialect."""
    kind, dialect, at = draw(st.sampled_from(UNREADABLE)), draw(dialects()), draw(st.integers(0, 9))
    rows = [["Tee", "1", "2", "EUR"], ["Mug", "1", "3", "EUR"], ["Tee", "2", "2", "USD"]]
    table = Table(["product_name"], ["product_name", "quantity", "amount", "currency"], rows, Asked())
    if kind == "nothing":
        return file_of(replace(table, header=[], rows=[]), dialect, ["", " ", dialect.delimiter * at])
    if kind in ("no quantity", "no money", "two of a column"):
        header = {"no quantity": "Colour", "no money": "Cost", "two of a column": "Unit Price"}[kind]
        column = {"no quantity": 1, "no money": 2, "two of a column": 3}[kind]
        names = [*table.header[:column], header, *table.header[column + 1 :]]
        return file_of(replace(table, header=names), dialect)
    if kind in ("five columns", "three columns"):
        rows = [[*row, "5"] if kind == "five columns" else row[:3] for row in rows]
        return file_of(replace(table, header=[], rows=rows), replace(dialect, trailing_delimiters=0))
    if kind == "unknown sep":
        return file_of(table, replace(dialect, delimiter="#", sep_line=True))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig"])) if kind == "broken bytes" else "utf-16-le"
    content = file_of(table, replace(dialect, encoding=encoding)).content
    if kind == "half a character":
        return Feed(content[:-1], Asked())
    return Feed(content[: -1 - at] + b"\xff" + content[-1 - at :], Asked())
