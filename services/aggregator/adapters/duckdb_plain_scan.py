"""The SQL that counts plain rows straight from the file, at the engine's own speed, and tells which rows are not plain.

A row is plain when simple patterns prove that no rule concerns its numbers and ids; its texts are then judged once per
group. Whatever is not proved here is judged line by line (duckdb_row_sql): what counts as plain decides about speed,
never about the outcome.
"""

# ruff: noqa: S608 - what is pasted is our own names and numbers, and values quoted

from dataclasses import dataclass
from pathlib import Path

from services.aggregator.adapters.duckdb_dates import ISO_TIME
from services.aggregator.adapters.duckdb_line_framing import FAULT, JOIN, MAX_RECORD_BYTES, NULL
from services.aggregator.adapters.duckdb_row_sql import named_line_end, quoted, revenue_share
from services.aggregator.rules.columns import STATUSES
from services.aggregator.rules.layouts import Layout
from services.aggregator.rules.row_rule import MAX_ID, MAX_NAME, UNIT_ROUNDING
from services.aggregator.rules.row_rules import CURRENCIES, RULES
from services.aggregator.rules.row_style import RowStyle
from services.aggregator.rules.rule_bits import is_asked
from services.aggregator.rules.white_space import AROUND_VALUES

KEYS = ("product_id", "product_name", "category", "currency", "day")
"""What plain rows are grouped by, as text, '' where the feed has no such column."""

# Bounds that keep quantity × amount below 10^14 and in 64 bits: larger figures are judged line by line.
QUANTITY = "-?[1-9][0-9]{0,5}"
_WHOLE = "[0-9]{1,8}"
_REVENUE = r"-?[0-9]{1,12}(\.[0-9]{1,4})?"
_ROOM, _ROOM_IN_FRAMED = 8, 72
TEXT = "[!-&(-~]([ -~]*[!-~])?"
"""Printable ASCII without white space around it, nor the ' that our own CSV puts in front."""
_PRODUCT = (("product_name", MAX_NAME), ("product_id", MAX_ID))
IDS = ("transaction_id", "line_id")
"""Each row has its own, so that they are judged by row and not by group."""
ITEMS = ("line_id", "product_id", "product_name")
"""What tells the lines of one transaction apart: the first of them that is not blank."""


ID_HASH = "hash(transaction_id, substr(item, 2))"
"""Of a judged row, what _id_hash is of a plain one. Behind the letter that says of which kind the item is: what only
differs in that is told apart where values are compared."""


@dataclass(frozen=True, slots=True)
class PlainScan:
    """`path` holds one record per line, but for what the engine's own scanner passes over."""

    path: Path
    line_end: bytes
    layout: Layout
    style: RowStyle
    seller_id: str
    is_framed: bool

    def groups_sql(self, part: int = 0, parts: int = 1) -> str:
        """(KEYS…, plain, quantity, amount, revenue, transactions): sums per group, of plain rows and of the others.

        Of all groups, or of one of `parts` that have no group in common.
        """
        of_part = f"WHERE hash({', '.join(KEYS)}) % {parts} = {part}" if parts > 1 else ""
        keys = ", ".join(f"{self._key(key)} AS {key}" for key in KEYS)
        return f"""
            SELECT {", ".join(KEYS)}, plain, CAST(sum(quantity) AS BIGINT) AS quantity, sum(amount) AS amount,
                   sum(revenue) AS revenue, count(*) AS transactions
            FROM (SELECT {keys}, {self._plain()} AS plain, quantity, amount, {self._revenue()} AS revenue
                  FROM (SELECT *, {self._numbers()} FROM {self._rows()})) {of_part}
            GROUP BY ALL"""

    def is_same_item(self) -> str:
        """Whether a group, as it was `judged`, is the product that its rows' hashes of identity were made of."""
        if not self.has_ids:
            return "true"
        return """judged.product_id = groups.product_id
            AND (judged.product_id <> '' OR judged.product_name = nfc_normalize(groups.product_name))"""

    def product_name(self) -> str:
        """The name of a settled group's product."""
        return "product_name" if "product_name" in self.layout.columns.position else "product_id"

    def rows_sql(self, *, all_plain: bool, with_keys: bool) -> str:
        """(plain?, key_hash?, id_hash?) of every row, in the file's order. Equal identities have equal hashes.

        `all_plain`: that is known already, and left out. No join may come near it: the engine keeps the order of a
        file only through plain projections.
        """
        columns = [] if all_plain else [f"{self._plain()} AS plain"]
        columns += [f"hash({', '.join(self._key(key) for key in KEYS)}) AS key_hash"] if with_keys else []
        columns += [f"{self._id_hash()} AS id_hash"] if self.has_ids else []
        return f"SELECT {', '.join(columns)} FROM (SELECT *, {self._numbers()} FROM {self._rows()})"

    def settled(self) -> str:
        """Whether a group's texts are plainly what they should be, so that no rule need be asked."""
        position = self.layout.columns.position
        name, product = (f"regexp_full_match({k}, '{TEXT}') AND length({k}) <= {n}" for k, n in _PRODUCT)
        terms = [name, f"(product_id = '' OR ({product}))"] if "product_name" in position else [product]
        if "category" in position:
            terms.append(f"(category = '' OR (regexp_full_match(category, '{TEXT}') AND length(category) <= {MAX_ID}))")
        if "currency" in position:
            terms.append(
                f"(currency = '' OR contains('{CURRENCIES}', concat(',', currency, ',')) AND length(currency) = 3)"
            )
        if "occurred_at" in position and self.style.date_form_is_declared:
            # Only the rules know that form, and no other is read.
            terms.append("false")
        elif "occurred_at" in position:
            terms.append(f"{self.day()} BETWEEN DATE '1970-01-01' AND $last_date::DATE")
        return f"coalesce({' AND '.join(terms)}, false)"

    def day(self) -> str:
        """The day of a settled group."""
        if "occurred_at" not in self.layout.columns.position:
            return "$object_day::DATE"
        return "CASE WHEN regexp_full_match(day, '[0-9]{4}-[0-9]{2}-[0-9]{2}') THEN TRY_CAST(day AS DATE) END"

    @property
    def has_ids(self) -> bool:
        return "transaction_id" in self.layout.columns.position

    def _rows(self) -> str:
        # With too many columns the scanner passes over a row in silence, which costs the whole scan: so there is room
        # for some more. Its list of rejects would take time that grows with the square of a line's length.
        room = _ROOM_IN_FRAMED if self.is_framed else _ROOM
        # Where the file was not framed, one line that is longer than a record may be has it framed.
        longest = 8 * MAX_RECORD_BYTES if self.is_framed else MAX_RECORD_BYTES
        columns = ", ".join(f"'c{n}': 'VARCHAR'" for n in range(self.style.cells + room))
        delimiter = "\\t" if self.layout.delimiter == "\t" else self.layout.delimiter
        return f"""read_csv($path, columns={{{columns}}}, delim='{delimiter}', quote='"', escape='"',
            new_line='{named_line_end(self.line_end)}', header=false, auto_detect=false, null_padding=true,
            nullstr='{NULL}', comment='', compression='none', encoding='utf-8', strict_mode=true,
            ignore_errors=true, max_line_size={longest}, buffer_size={32 * MAX_RECORD_BYTES})"""

    def _cell(self, field: str) -> str:
        position = self.layout.columns.position.get(field)
        if position is None:
            return "''"
        cell = f"c{position}"
        if self.is_framed:
            cell = f"replace({cell}, '{JOIN}', ' ')"
        return f"trim({cell}, ' ')" if self.style.is_padded else cell

    def _key(self, key: str) -> str:
        if key != "day":
            return self._cell(key)
        day = self._cell("occurred_at")
        return f"left({day}, 10)" if self.style.has_times else day

    def _numbers(self) -> str:
        given = [f"trim({self._cell(f)}, '{AROUND_VALUES}') AS {f}_text" for f in STATUSES if self.layout.preset]
        quantity = f"TRY_CAST(TRY_CAST({self._cell('quantity')} AS INTEGER) AS DECIMAL(6,0)) AS quantity"
        position = self.layout.columns.position
        revenue = f"TRY_CAST({self._dotted('revenue')} AS DECIMAL(16,4))" if "revenue" in position else "NULL"
        amount = f"TRY_CAST({self._dotted('amount')} AS DECIMAL(12,4)) AS amount" if "amount" in position else ""
        if not amount:
            amount = f"TRY_CAST({revenue_share('revenue_given', 'quantity')} AS DECIMAL(16,4)) AS amount"
        return ", ".join([*given, quantity, f"CAST({revenue} AS DECIMAL(16,4)) AS revenue_given", amount])

    def _dotted(self, money: str) -> str:
        return f"replace({self._cell(money)}, ',', '.')" if money in self.style.comma else self._cell(money)

    def _revenue(self) -> str:
        return (
            "coalesce(revenue_given, quantity * amount)"
            if "amount" in self.layout.columns.position
            else "revenue_given"
        )

    def _plain(self) -> str:
        position = self.layout.columns.position
        width = self.layout.columns.width
        terms = [f"NOT starts_with(c0, '{FAULT}')"] if self.is_framed else []
        terms += [f"c{width - 1} IS NOT NULL", f"regexp_full_match({self._cell('quantity')}, '{QUANTITY}')"]
        terms += [f"coalesce(c{n}, '') = ''" for n in range(width, self.style.cells)]
        terms.append(f"c{self.style.cells} IS NULL")
        if "amount" in position:
            terms += [self._is_money("amount"), "amount IS NOT NULL"]
        if "revenue" in position:
            given = f"{self._is_money('revenue')} AND revenue_given * sign(quantity) >= 0"
            if "amount" in position:
                given += " AND abs(revenue_given - quantity * amount) <= abs(quantity) * " + UNIT_ROUNDING
                given = f"({self._cell('revenue')} = '' OR ({given}))"
            terms.append(given)
        terms += [
            f"NOT ({rule.when})" for rule in RULES if rule.field in STATUSES and is_asked(rule, self.layout.columns)
        ]
        if "seller_id" in position:
            terms.append(f"{self._cell('seller_id')} IN ('', {quoted(self.seller_id)})")
        if "occurred_at" in position and self.style.has_times:
            terms.append(f"regexp_full_match({self._cell('occurred_at')}[11:], '{ISO_TIME}')")
        # What products are called is judged once per group: see is_same_item.
        terms += [self._is_plain_id(field) for field in IDS if field in position]
        return f"coalesce({' AND '.join(terms)}, false)"

    def _is_money(self, money: str) -> str:
        return f"regexp_full_match({self._cell(money)}, '{money_pattern(money, self.style)}')"

    def _item_fields(self) -> list[str]:
        return [field for field in ITEMS if field in self.layout.columns.position]

    def _is_plain_id(self, field: str) -> str:
        """Blank, or such that the text as it stands is what is compared."""
        cell = self._cell(field)
        return f"strlen({cell}) <= {MAX_ID} AND regexp_full_match({cell}, '({TEXT})?')"

    def _id_hash(self) -> str:
        """The same number as ID_HASH of the row, were it judged."""
        *fields, last = self._item_fields()
        item = self._compared(last)
        for field in reversed(fields):
            cell = self._cell(field)
            item = f"CASE WHEN {cell} <> '' THEN {self._compared(field)} ELSE {item} END"
        cell = self._cell("transaction_id")
        return f"CASE WHEN {cell} <> '' THEN hash({cell}, {item}) END"

    def _compared(self, field: str) -> str:
        cell = self._cell(field)
        return f"nfc_normalize({cell})" if field == "product_name" else cell


def money_pattern(money: str, style: RowStyle) -> str:
    """The form of plain amounts and revenues, as a regular expression."""
    if money not in style.comma:
        return _REVENUE if money == "revenue" else rf"{_WHOLE}(\.[0-9]{{1,4}})?"
    # Three digits behind a comma have two readings, unless the uploader said what the comma is.
    decimals = "[0-9]{1,4}" if style.comma_is_declared else "([0-9]{1,2}|[0-9]{4})"
    return f"{'-?' if money == 'revenue' else ''}{_WHOLE}(,{decimals})?"
