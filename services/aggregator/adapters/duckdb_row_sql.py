"""The SQL that turns framed lines into parsed rows, each with the bits of the rules it breaks."""

# ruff: noqa: S608 - what is pasted is our own rules, and the path that the flow chose, quoted

from services.aggregator.adapters.duckdb_line_framing import FAULT, JOIN, MAX_RECORD_BYTES, NEVER, NULL, FramedText
from services.aggregator.rules.columns import ALIASES, Columns
from services.aggregator.rules.layouts import Layout
from services.aggregator.rules.row_rule import AMBIGUOUS_MONEY, CONTROL, FIRST_GROUP, MAX_QUANTITY
from services.aggregator.rules.rule_bits import rules_for
from services.aggregator.rules.white_space import AROUND_VALUES, IN_BLANK_LINES_CLASS

_TEXTS = ("product_id", "product_name", "category", "transaction_id", "line_id")
_FORMULA = r"^''[=+\-@\t\r]"

_GROUPED_COMMA = rf"[+-]?{FIRST_GROUP}((,[0-9]{{3}})+\.[0-9]+|(,[0-9]{{3}}){{2,}})"
_GROUPED_DOT = rf"[+-]?{FIRST_GROUP}((\.[0-9]{{3}})+,[0-9]+|(\.[0-9]{{3}}){{2,}})"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?"
_ZONE = r" ?(Z|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])"
_DATE = rf"[0-9]{{4}}(-[0-9]{{2}}-[0-9]{{2}}|[0-9]{{4}})([T ]{_TIME})?({_ZONE})?"


def quoted(text: str) -> str:
    """A string literal."""
    return "'" + text.replace("'", "''") + "'"


def lines_sql(framed: FramedText) -> str:
    """Every physical line of the file: (n, l). Nothing is left for the scanner to detect."""
    return f"""SELECT row_number() OVER () AS n, l FROM read_csv({quoted(str(framed.path))},
        columns={{'l': 'VARCHAR'}}, auto_detect=false, header=false, skip=0, delim='{NEVER}', nullstr='{NULL}',
        quote='', escape='', comment='', new_line='\\n', compression='none', encoding='utf-8', strict_mode=true,
        ignore_errors=false, max_line_size={8 * MAX_RECORD_BYTES}, buffer_size={32 * MAX_RECORD_BYTES})"""


def rows_sql(framed: FramedText, layout: Layout) -> str:
    """One row per row of `lines`: `mask` is NULL for lines that are no rows, else the bits of the broken rules.

    Parameters: $seller_id, $object_day, and $last_date where the feed has dates.
    """
    columns = layout.columns
    edges = _edges(layout.delimiter)
    texts = ",\n".join(f"{_cell(columns.position.get(f))} AS {f}_text" for f in ALIASES)
    return f"""
    SELECT n AS line, CASE WHEN NOT is_row THEN NULL WHEN structural <> 0 THEN structural
                           WHEN errors <> 0 THEN errors ELSE {_mask("warning", columns)} END AS mask,
        product_id, product_name, category, currency, sale_date, quantity, amount, revenue,
        transaction_id, {_item() if "transaction_id" in columns.position else "''"} AS item
    FROM (SELECT *, {_mask("structural", columns)} AS structural, {_mask("error", columns)} AS errors
    FROM (SELECT *, {_derived()}
    FROM (SELECT *, {_numbers()}
    FROM (SELECT *, {_parsed(columns.position)}
    FROM (SELECT n, is_row, fault, has_control, len(s) AS cells, {columns.width} AS width,
                 {_surplus(columns.width)} AS surplus, {texts},
                 {str("product_name" in columns.position).lower()} AS has_names
    FROM (SELECT n, is_row, fault, is_odd AND regexp_matches(l, '{CONTROL}') AS has_control,
                 is_odd AND regexp_matches(l, '{edges}') AS has_edges, {_split(framed, layout.delimiter)} AS s
    FROM (SELECT n, l, n >= {layout.first_line} AND {_is_written(layout.delimiter)} AS is_row,
                 CASE WHEN starts_with(l, '{FAULT}') THEN split_part(l, '{FAULT}', 2) END AS fault,
                 regexp_matches(l, '{CONTROL}|{edges}') AS is_odd
    FROM lines)))))))
    """


def _mask(kind: str, columns: Columns) -> str:
    """The sum of the bits of the rules of one kind that a row breaks."""
    terms = [f"CASE WHEN {rule.when} THEN {1 << bit} ELSE 0 END" for bit, rule in rules_for(kind, columns)]
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


def _split(framed: FramedText, delimiter: str) -> str:
    """Cells of a line. With quotes: nearly all lines have none around a delimiter or a quote, and split as fast."""
    line = f"replace(l, '{JOIN}', ' ')" if framed.has_quotes else "l"
    plain = f"string_split({line}, '{delimiter}')"
    if not framed.has_quotes:
        return plain
    d = "\\" + delimiter if delimiter == "|" else delimiter
    simple = rf'( *"[^"{delimiter}]*" *|[^"{delimiter}]*)'
    cell = rf'( *"(?:[^"]|"")*" *|[^{delimiter}]*)'
    return f"""CASE WHEN NOT contains(l, '"') THEN {plain}
        WHEN regexp_full_match(l, '{simple}({d}{simple})*') THEN string_split(replace({line}, '"', ''), '{delimiter}')
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


def _parsed(position: dict[str, int]) -> str:
    parts = [f"{_text(f) if f in position else quoted('')} AS {f}" for f in _TEXTS if f != "product_name"]
    name = f"CASE WHEN product_name_text = '' THEN {_text('product_id')} ELSE {_text('product_name')} END"
    parts.append(f"{name if 'product_id' in position else _text('product_name')} AS product_name")
    # upper() takes U+017F for an S. As many bytes as characters: all of them are ASCII.
    is_ascii = "strlen(currency_text) = length(currency_text)"
    parts.append(f"CASE WHEN {is_ascii} THEN upper(currency_text) ELSE currency_text END AS currency")
    parts.append(r"regexp_full_match(quantity_text, '[+-]?[0-9]+(\.(0{1,2}|0{4,}))?') AS quantity_is_written")
    for money in ("amount", "revenue"):
        plain = _plain(f"{money}_text") if money in position else "CAST(NULL AS VARCHAR)"
        parts.append(f"{plain} AS {money}_plain")
    parts.append(f"{_day() if 'occurred_at' in position else 'CAST($object_day AS DATE)'} AS sale_date")
    return ",\n".join(parts)


def _numbers() -> str:
    quantity = "CAST(TRY_CAST(quantity_text AS DECIMAL(18,0)) AS BIGINT)"
    parts = [f"CASE WHEN quantity_is_written AND abs({quantity}) <= {MAX_QUANTITY} THEN {quantity} END AS quantity"]
    for money in ("amount", "revenue"):
        exact = rf"regexp_full_match({money}_plain, '[+-]?[0-9]*(\.[0-9]{{0,4}}0*)?')"
        parts.append(f"{exact} AS {money}_is_exact")
        parts.append(f"CASE WHEN {exact} THEN TRY_CAST({money}_plain AS DECIMAL(18,4)) END AS {money}_given")
    return ",\n".join(parts)


def _text(field: str) -> str:
    """NFC, without the ' that our own CSV puts before what a spreadsheet would run."""
    cell = f"{field}_text"
    guarded = f"starts_with({cell}, '''') AND regexp_matches({cell}, '{_FORMULA}')"
    return f"nfc_normalize(CASE WHEN {guarded} THEN {cell}[2:] ELSE {cell} END)"


def _plain(t: str) -> str:
    """The number with `.` as its only sign, NULL where it has no reading or two."""
    return rf"""CASE WHEN regexp_full_match({t}, '[+-]?([0-9]+|[0-9]*\.[0-9]+)') THEN {t}
        WHEN regexp_full_match({t}, '{_GROUPED_COMMA}') THEN replace({t}, ',', '')
        WHEN regexp_full_match({t}, '{_GROUPED_DOT}') THEN replace(replace({t}, '.', ''), ',', '.')
        WHEN regexp_full_match({t}, '{AMBIGUOUS_MONEY}') THEN NULL
        WHEN regexp_full_match({t}, '[+-]?[0-9]*,[0-9]+') THEN replace({t}, ',', '.') END"""


def _day() -> str:
    t = "occurred_at_text"
    day = f"CASE WHEN {t}[5] = '-' THEN {t}[1:10] ELSE {t}[1:4] || '-' || {t}[5:6] || '-' || {t}[7:8] END"
    return f"CASE WHEN regexp_full_match({t}, '{_DATE}') THEN TRY_CAST({day} AS DATE) END"


def _derived() -> str:
    """amount = revenue ÷ quantity, half even, in whole ten-thousandths: DuckDB would divide decimals as doubles."""
    r, q = "abs(CAST(CAST(revenue_given AS DECIMAL(28,4)) * 10000 AS BIGINT))", "abs(quantity)"
    odd, twice = f"({r} // {q}) % 2", f"2 * ({r} % {q})"
    quotient = f"({r} // {q} + CASE WHEN {twice} > {q} OR ({twice} = {q} AND {odd} = 1) THEN 1 ELSE 0 END)"
    exact = f"CAST(CAST({quotient} AS DECIMAL(19,0)) * CAST(0.0001 AS DECIMAL(5,4)) AS DECIMAL(18,4))"
    # Wider than 18 digits on one side, or DuckDB multiplies in 64 bits and fails.
    product = "quantity * CAST(amount_given AS DECIMAL(28,4))"
    return f"""
        CASE WHEN amount_text <> '' THEN amount_given WHEN quantity = 0 THEN CAST(0 AS DECIMAL(18,4))
             WHEN revenue_given IS NOT NULL AND quantity IS NOT NULL THEN {exact} END AS amount,
        CASE WHEN revenue_text <> '' THEN revenue_given ELSE TRY_CAST({product} AS DECIMAL(18,4)) END AS revenue"""


def _item() -> str:
    """What distinguishes the lines of one transaction; the letter keeps an id apart from a name."""
    product = "CASE WHEN product_id <> '' THEN 'i' || product_id ELSE 'n' || product_name END"
    return f"CASE WHEN line_id <> '' THEN 'l' || line_id ELSE {product} END"
