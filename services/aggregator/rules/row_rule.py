"""What a row rule is, and the families of rules that money and text columns share.

The words that `when` may use are told in row_rules.py.
"""

from dataclasses import dataclass

from shared.schemas.issues import Severity

MAX_NAME, MAX_ID, MAX_QUANTITY = 255, 128, 1_000_000_000
UNIT_ROUNDING = "0.005"
"""Half a cent per unit is what rounding unit prices to cents can explain between a revenue and its parts."""
CONTROL = r"[\x00-\x1f\x7f-\x{9f}\x{fdd1}]"
"""Control characters; U+FDD1 stands for the noncharacters that the framing replaced."""

FIRST_GROUP = "([1-9][0-9]{0,2}|0[0-9]{1,2})"
"""The digits before a sign of thousands. Never a 0 alone: 0,123 is 0.123 to everybody."""
AMBIGUOUS_MONEY = f"[+-]?{FIRST_GROUP},[0-9]{{3}}"

_MONEY = "such as 1234.50, 1,234.50 or 1.234,50 (at most four decimals, below 100,000,000,000,000)"


@dataclass(frozen=True, slots=True)
class RowRule:
    """One way for a row to be wrong. `structural`: the cells cannot be trusted, so no other rule is asked.

    `needs`: fields of which the feed must have one for the rule to be asked; if empty, `field`.
    """

    code: str
    severity: Severity
    field: str | None
    when: str
    message: str
    because: str
    structural: bool = False
    needs: tuple[str, ...] = ()

    def told(self, lines: int) -> str:
        """The sentence for the seller, about a row that takes up so many lines of which none could be read."""
        return f"{self.message} It takes up {lines} lines, which were not read as rows." if lines > 1 else self.message


def error(code: str, field: str | None, when: str, message: str, because: str, *, structural: bool = False) -> RowRule:
    return RowRule(code, Severity.ERROR, field, when, message, because, structural)


def warning(code: str, field: str | None, when: str, message: str, because: str) -> RowRule:
    return RowRule(code, Severity.WARNING, field, when, message, because)


def skip(code: str, needs: tuple[str, ...], when: str, message: str, because: str) -> RowRule:
    """The row is rightly not counted."""
    return RowRule(code, Severity.INFO, needs[0], when, message, because, needs=needs)


def money_rules(field: str) -> tuple[RowRule, ...]:
    text, plain = f"{field}_text", f"{field}_plain"
    ambiguous = f"NOT has_decimal_comma AND regexp_full_match({text}, '{AMBIGUOUS_MONEY}')"
    return (
        error(
            "validation/ambiguous_number",
            field,
            ambiguous,
            f"The {field} can be read in two ways (1,234 is 1234 or 1.234); write it without the comma.",
            "A guess would be wrong by a factor of a thousand.",
        ),
        error(
            f"validation/invalid_{field}",
            field,
            f"{text} <> '' AND {plain} IS NULL AND NOT ({ambiguous})",
            f"The {field} is not a number {_MONEY}; no currency signs, no exponents.",
            "Only digits with clear signs have one reading.",
        ),
        error(
            "validation/too_many_decimals",
            field,
            f"NOT {field}_is_exact",
            f"The {field} has more than four decimals.",
            "Money is kept exactly to four decimals; rounding somebody's money unasked is not ours to do.",
        ),
        error(
            "validation/out_of_range",
            field,
            f"{field}_is_exact AND {field}_given IS NULL",
            f"The {field} is too large: it must stay below 100,000,000,000,000.",
            "Sums must stay exact, and a larger figure is a mistake.",
        ),
    )


def text_rules(field: str, limit: int) -> tuple[RowRule, ...]:
    return (
        error(
            "validation/control_character",
            field,
            f"has_control AND {field}_text <> '' AND regexp_matches({field}, '{CONTROL}')",
            f"The {field} holds a control character.",
            "It cannot be seen or typed, so the value would match nothing that looks the same.",
        ),
        error(
            "validation/too_long",
            field,
            f"{field}_text <> '' AND length({field}) > {limit}",
            f"The {field} is longer than {limit} characters.",
            "It would not fit its column, and cutting it could make two products one.",
        ),
    )
