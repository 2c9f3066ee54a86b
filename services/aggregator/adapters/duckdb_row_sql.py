"""The SQL that judges: lines, or the texts that a group's rows share, become rows with the rules they break."""

# ruff: noqa: S608 - what is pasted is our own rules, and values quoted

from dataclasses import dataclass
from datetime import date

from services.aggregator.adapters.duckdb_dates import day_sql
from services.aggregator.adapters.duckdb_line_framing import FAULT, JOIN, MAX_RECORD_BYTES, NEVER, NULL
from services.aggregator.rules.columns import FIELDS, Columns
from services.aggregator.rules.layouts import Layout
from services.aggregator.rules.row_rule import AMBIGUOUS_MONEY, CONTROL, FIRST_GROUP, MAX_QUANTITY
from services.aggregator.rules.rule_bits import rules_for
from services.aggregator.rules.white_space import AROUND_VALUES, IN_BLANK_LINES_CLASS
from shared.schemas.feed_options import FeedOptions

_TEXTS = ("product_id", "product_name", "category", "transaction_id", "line_id")
_FORMULA = r"^''[=+\-@\t\r]"

_GROUPED_COMMA = rf"[+-]?{FIRST_GROUP}((,[0-9]{{3}})+\.[0-9]+|(,[0-9]{{3}}){{2,}})"
_GROUPED_DOT = rf"[+-]?{FIRST_GROUP}((\.[0-9]{{3}})+,[0-9]+|(\.[0-9]{{3}}){{2,}})"


def quoted(text: str) -> str:
    """A string literal."""
    return "'" + text.replace("'", "''") + "'"


def named_line_end(line_end: bytes) -> str:
    """As the engine's scanner wants it named."""
    return "\\r\\n" if line_end == b"\r\n" else "\\n"


def lines_sql(line_end: bytes) -> str:
    """Every physical line of the file $path: (n, l). Nothing is left for the scanner to detect."""
    return f"""SELECT row_number() OVER () AS n, l FROM read_csv($path,
        columns={{'l': 'VARCHAR'}}, auto_detect=false, header=false, skip=0, delim='{NEVER}', nullstr='{NULL}',
        quote='', escape='', comment='', new_line='{named_line_end(line_end)}', compression='none', encoding='utf-8',
        strict_mode=true, ignore_errors=false, max_line_size={8 * MAX_RECORD_BYTES},
        buffer_size={32 * MAX_RECORD_BYTES})"""


@dataclass(frozen=True, slots=True)
class Judging:
    """What rows are held against: their feed's layout and options; `parameters` go with every statement."""

    layout: Layout
    options: FeedOptions

    def parameters(self, seller_id: str, object_day: date) -> dict[str, object]:
        """$seller_id, $last_date, and $object_day where rows have no date of their own."""
        given = {"seller_id": seller_id, "last_date": latest_day(object_day)}
        return given if "occurred_at" in self.layout.columns.position else given | {"object_day": object_day}

    def lines_sql(self, lines: str) -> str:
        """One row per row (n, l) of the table `lines`; see `_judged`. Every line is framed: one record, or none."""
        columns = self.layout.columns
        edges = _edges(self.layout.delimiter)
        texts = ", ".join(f"{_cell(columns.position.get(f))} AS {f}_text" for f in FIELDS)
        cells = f"""
            SELECT n, is_row, fault, has_control, len(s) AS cells, {_surplus(columns.width)} AS surplus, {texts}
            FROM (SELECT n, is_row, fault, is_odd AND regexp_matches(l, '{CONTROL}') AS has_control,
                         is_odd AND regexp_matches(l, '{edges}') AS has_edges, {split_sql(self.layout.delimiter)} AS s
            FROM (SELECT n, l, n >= {self.layout.first_line} AND {_is_written(self.layout.delimiter)} AS is_row,
                         CASE WHEN starts_with(l, '{FAULT}') THEN split_part(l, '{FAULT}', 2) END AS fault,
                         regexp_matches(l, '{CONTROL}|{edges}') AS is_odd
            FROM {lines}))"""
        return self._judged(cells)

    def groups_sql(self, groups: str) -> str:
        """The same for what the rows of a group have in common: (n, product_id, … , day) of the table `groups`.

        Their numbers are plain already, and stand here as 1.
        """
        common = {"quantity": "'1'", "amount": "'1'", "revenue": "'1'", "occurred_at": "day"}
        common |= {name: name for name in ("product_id", "product_name", "category", "currency")}
        position = self.layout.columns.position
        given = {name: common[name] if name in common and name in position else "''" for name in FIELDS}
        texts = ", ".join(f"trim({text}, '{AROUND_VALUES}') AS {name}_text" for name, text in given.items())
        parts = "concat(product_id, product_name, category)"
        cells = f"""
            SELECT n, true AS is_row, CAST(NULL AS VARCHAR) AS fault,
                   regexp_matches({parts}, '{CONTROL}') AS has_control,
                   {self.layout.columns.width} AS cells, false AS surplus, {texts} FROM {groups}"""
        return self._judged(cells)

    def _judged(self, cells: str) -> str:
        """`mask` is NULL for lines that are no rows, else the bits of the broken rules."""
        columns = self.layout.columns
        item = _item() if "transaction_id" in columns.position else "''"
        return f"""
        SELECT n AS line, CASE WHEN NOT is_row THEN NULL WHEN structural <> 0 THEN structural WHEN skips <> 0 THEN skips
                               WHEN errors <> 0 THEN errors ELSE {_mask("warning", columns)} END AS mask,
            product_id, product_name, category, currency, sale_date, quantity, amount, revenue,
            transaction_id, {item} AS item
        FROM (SELECT *, {_mask("structural", columns)} AS structural, {_mask("skip", columns)} AS skips,
                     {_mask("error", columns)} AS errors
        FROM (SELECT *, {_derived()}
        FROM (SELECT *, {self._numbers()}
        FROM (SELECT *, {self._parsed()}
        FROM (SELECT * {self._carried()}, {columns.width} AS width, $seller_id::VARCHAR AS seller,
                     $last_date::DATE AS last_date,
                     {str("product_name" in columns.position).lower()} AS has_names,
                     {str(self.options.date_format is None).lower()} AS dates_are_iso,
                     {str(self.options.decimal_separator == ",").lower()} AS has_decimal_comma
        FROM ({cells}))))))"""

    def _carried(self) -> str:
        """Further lines of an order take from its first what they leave blank."""
        preset = self.layout.preset
        fields = [f for f in (preset.carried if preset else ()) if f in self.layout.columns.position]
        if not fields:
            return ""
        # Of a line that could not be split, no cell can be trusted.
        sound = f"fault IS NULL AND NOT surplus AND cells >= {self.layout.columns.width}"
        of_order = "PARTITION BY transaction_id_text ORDER BY n"
        parts = [
            f"""CASE WHEN {f}_text = '' AND transaction_id_text <> ''
                THEN first_value(CASE WHEN {sound} THEN {f}_text ELSE '' END) OVER ({of_order})
                ELSE {f}_text END AS {f}_text"""
            for f in fields
        ]
        return f"REPLACE ({', '.join(parts)})"

    def _parsed(self) -> str:
        position = self.layout.columns.position
        parts = [f"{_text(f) if f in position else quoted('')} AS {f}" for f in _TEXTS if f != "product_name"]
        name = f"CASE WHEN product_name_text = '' THEN {_text('product_id')} ELSE {_text('product_name')} END"
        parts.append(f"{name if 'product_id' in position else _text('product_name')} AS product_name")
        # upper() takes U+017F for an S. As many bytes as characters: all of them are ASCII.
        is_ascii = "strlen(currency_text) = length(currency_text)"
        parts.append(f"CASE WHEN {is_ascii} THEN upper(currency_text) ELSE currency_text END AS currency")
        comma = self.options.decimal_separator == ","
        whole = rf"[+-]?[0-9]+({',' if comma else '[.]'}(0{{1,2}}|0{{4,}}))?"
        parts.append(f"regexp_full_match(quantity_text, '{whole}') AS quantity_is_written")
        for money in ("amount", "revenue"):
            plain = _plain(f"{money}_text", comma=comma) if money in position else "CAST(NULL AS VARCHAR)"
            parts.append(f"{plain} AS {money}_plain")
        day = day_sql("occurred_at_text", self.options.date_format)
        parts.append(f"{day if 'occurred_at' in position else '$object_day::DATE'} AS sale_date")
        return ",\n".join(parts)

    def _numbers(self) -> str:
        quantity = "CAST(TRY_CAST(replace(quantity_text, ',', '.') AS DECIMAL(18,0)) AS BIGINT)"
        parts = [f"CASE WHEN quantity_is_written AND abs({quantity}) <= {MAX_QUANTITY} THEN {quantity} END AS quantity"]
        for money in ("amount", "revenue"):
            exact = rf"regexp_full_match({money}_plain, '[+-]?[0-9]*([.][0-9]{{0,4}}0*)?')"
            parts.append(f"{exact} AS {money}_is_exact")
            parts.append(f"CASE WHEN {exact} THEN TRY_CAST({money}_plain AS DECIMAL(18,4)) END AS {money}_given")
        return ",\n".join(parts)


def _mask(kind: str, columns: Columns) -> str:
    """The sum of the bits of the rules of one kind that a row breaks."""
    terms = [f"CASE WHEN {rule.when} THEN {1 << bit} ELSE 0 END" for bit, rule in rules_for(kind, columns)]
    terms = terms or ["0"]
    return f"CAST({_sum(terms)} AS BIGINT)"


def _sum(terms: list[str]) -> str:
    """Balanced: DuckDB plans a chain of forty additions four times as slowly."""
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    return f"({_sum(terms[:half])} + {_sum(terms[half:])})"


def _is_written(delimiter: str) -> str:
    """A line of nothing, of white space or of delimiters alone is no row."""
    return f"regexp_matches(l, '[^{IN_BLANK_LINES_CLASS}{'' if delimiter == chr(9) else delimiter}]')"


def _edges(delimiter: str) -> str:
    """Matches a line of which a cell may begin or end with white space; most lines are spared the trimming."""
    blank, edge = f"[{IN_BLANK_LINES_CLASS}{JOIN}]", f'[{delimiter}"]'
    return f"^{blank}|{blank}$|{edge}{blank}|{blank}{edge}"


def split_sql(delimiter: str) -> str:
    """Cells of a line `l`. Nearly all lines have no quotes around a delimiter or a quote, and split as fast."""
    line = f"replace(l, '{JOIN}', ' ')"
    d = "\\" + delimiter if delimiter == "|" else delimiter
    simple = rf'( *"[^"{delimiter}]*" *|[^"{delimiter}]*)'
    cell = rf'( *"(?:[^"]|"")*" *|[^{delimiter}]*)'
    bare = f"""replace({line}, '"', '')"""
    return f"""CASE WHEN NOT contains(l, '"') THEN string_split({line}, '{delimiter}')
        WHEN regexp_full_match(l, '{simple}({d}{simple})*') THEN string_split({bare}, '{delimiter}')
        ELSE list_transform(regexp_extract_all('{delimiter}' || {line}, '{d}{cell}', 1), lambda c:
            CASE WHEN starts_with(ltrim(c, ' '), '"') THEN replace(trim(c, ' ')[2:-2], '""', '"') ELSE c END) END"""


def _surplus(width: int) -> str:
    """Whether something stands beyond the last column; empty cells from trailing delimiters are fine."""
    beyond = f"array_to_string(s[{width + 1}:], '')"
    return f"CASE WHEN len(s) > {width} THEN regexp_matches({beyond}, '[^{IN_BLANK_LINES_CLASS}]') ELSE false END"


def _cell(position: int | None) -> str:
    if position is None:
        return "''"
    cell = f"s[{position + 1}]"
    return f"coalesce(CASE WHEN has_edges THEN trim({cell}, '{AROUND_VALUES}') ELSE {cell} END, '')"


def _text(field: str) -> str:
    """NFC, without the ' that our own CSV puts before what a spreadsheet would run."""
    cell = f"{field}_text"
    guarded = f"starts_with({cell}, '''') AND regexp_matches({cell}, '{_FORMULA}')"
    # What stands behind the ' was not at the cell's edge until now.
    return f"nfc_normalize(CASE WHEN {guarded} THEN trim({cell}[2:], '{AROUND_VALUES}') ELSE {cell} END)"


def _plain(t: str, *, comma: bool) -> str:
    """The number with `.` as its only sign, NULL where it has no reading or two. `comma`: declared as decimal sign."""
    if comma:
        grouped = rf"[+-]?{FIRST_GROUP}([.][0-9]{{3}})+(,[0-9]+)?"
        return rf"""CASE WHEN regexp_full_match({t}, '[+-]?([0-9]+|[0-9]*,[0-9]+)') THEN replace({t}, ',', '.')
            WHEN regexp_full_match({t}, '{grouped}') THEN replace(replace({t}, '.', ''), ',', '.') END"""
    return rf"""CASE WHEN regexp_full_match({t}, '[+-]?([0-9]+|[0-9]*\.[0-9]+)') THEN {t}
        WHEN regexp_full_match({t}, '{_GROUPED_COMMA}') THEN replace({t}, ',', '')
        WHEN regexp_full_match({t}, '{_GROUPED_DOT}') THEN replace(replace({t}, '.', ''), ',', '.')
        WHEN regexp_full_match({t}, '{AMBIGUOUS_MONEY}') THEN NULL
        WHEN regexp_full_match({t}, '[+-]?[0-9]*,[0-9]+') THEN replace({t}, ',', '.') END"""


def revenue_share(revenue: str, quantity: str) -> str:
    """revenue ÷ quantity, never negative, half even, NULL for no quantity. DuckDB would divide decimals as doubles."""
    r, q = (
        f"abs(CAST(CAST({revenue} AS DECIMAL(28,4)) * 10000 AS BIGINT))",
        f"abs(nullif(CAST({quantity} AS BIGINT), 0))",
    )
    odd, twice = f"({r} // {q}) % 2", f"2 * ({r} % {q})"
    quotient = f"({r} // {q} + CASE WHEN {twice} > {q} OR ({twice} = {q} AND {odd} = 1) THEN 1 ELSE 0 END)"
    return f"CAST(CAST({quotient} AS DECIMAL(19,0)) * CAST(0.0001 AS DECIMAL(5,4)) AS DECIMAL(18,4))"


def _derived() -> str:
    # Wider than 18 digits on one side, or DuckDB multiplies in 64 bits and fails.
    product = "quantity * CAST(amount_given AS DECIMAL(28,4))"
    share = revenue_share("revenue_given", "quantity")
    return f"""
        CASE WHEN amount_text <> '' THEN amount_given WHEN quantity = 0 THEN CAST(0 AS DECIMAL(18,4))
             WHEN revenue_given IS NOT NULL AND quantity IS NOT NULL THEN {share} END AS amount,
        CASE WHEN revenue_text <> '' THEN revenue_given ELSE TRY_CAST({product} AS DECIMAL(18,4)) END AS revenue"""


def _item() -> str:
    """What distinguishes the lines of one transaction; the letter keeps an id apart from a name."""
    product = "CASE WHEN product_id <> '' THEN 'i' || product_id ELSE 'n' || product_name END"
    return f"CASE WHEN line_id <> '' THEN 'l' || line_id ELSE {product} END"


def latest_day(day: date) -> date:
    """That a row of an object stored on `day` may be of."""
    return day.replace(year=day.year + 1) if (day.month, day.day) != (2, 29) else date(day.year + 1, 3, 1)
