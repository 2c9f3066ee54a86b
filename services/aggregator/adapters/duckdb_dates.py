"""The SQL that reads a day from a text: in ISO 8601's forms, or in the one form that the uploader named."""

import re

_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?"
_ZONE = r" ?(Z|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])"
ISO_TIME = f"([T ]{_TIME})?({_ZONE})?"
"""What may follow the day."""
_ISO_DATE = rf"[0-9]{{4}}(-[0-9]{{2}}-[0-9]{{2}}|[0-9]{{4}}){ISO_TIME}"

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_PATTERNS = {
    "Y": "[0-9]{4}",
    "y": "[0-9]{2}",
    "m": "0?[1-9]|1[0-2]",
    "d": "0?[1-9]|[12][0-9]|3[01]",
    "b": "|".join(month[:3] for month in _MONTHS),
    "B": "|".join(_MONTHS),
    "H": "[01]?[0-9]|2[0-3]",
    "I": "0?[1-9]|1[0-2]",
    "M": "[0-5]?[0-9]",
    "S": "[0-5]?[0-9]",
    "f": "[0-9]{1,6}",
    "p": "am|pm",
    "z": r"z|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9]",
}
"""strptime directives, in small letters: names are read whatever their case, as strptime does."""


def day_sql(text: str, date_format: str | None) -> str:
    """A DATE, NULL where `text` (an SQL expression) is none. The day is taken as written, whatever zone follows."""
    if date_format is None:
        dashed = f"{text}[1:4] || '-' || {text}[5:6] || '-' || {text}[7:8]"
        day = f"CASE WHEN {text}[5] = '-' THEN {text}[1:10] ELSE {dashed} END"
        return f"CASE WHEN regexp_full_match({text}, '{_ISO_DATE}') THEN TRY_CAST({day} AS DATE) END"
    pattern, places = _pattern_of(date_format)
    folded = f"lower({text})"

    def part(*directives: str) -> str:
        place = next(places[directive] for directive in directives if directive in places)
        return f"regexp_extract({folded}, '^(?:{pattern})$', {place})"

    year = part("Y", "y")
    if "y" in places:
        # As POSIX has it: 69 to 99 are of the twentieth century.
        year = f"CASE WHEN {year} >= '69' THEN '19' ELSE '20' END || {year}"
    month = f"lpad({part('m', 'b', 'B')}, 2, '0')"
    if "m" not in places:
        names = " ".join(f"WHEN '{name[:3]}' THEN '{number:02}'" for number, name in enumerate(_MONTHS, start=1))
        month = f"CASE {part('b', 'B')}[1:3] {names} END"
    day = f"lpad({part('d')}, 2, '0')"
    return f"""CASE WHEN regexp_full_match({folded}, '{pattern}')
        THEN TRY_CAST({year} || '-' || {month} || '-' || {day} AS DATE) END"""


def _pattern_of(date_format: str) -> tuple[str, dict[str, int]]:
    """The regular expression of a format, and in which group of it each directive stands."""
    pattern, places = "", dict[str, int]()
    for literal, directive in re.findall(r"([^%]+|%%)|%(.)", date_format):
        if directive:
            places[directive] = len(places) + 1
            pattern += f"({_PATTERNS[directive]})"
        else:
            # White space in a format stands for any, as in strptime.
            text = literal.replace("%%", "%").lower()
            pattern += "".join(" +" if part.isspace() else re.escape(part) for part in re.split(r"(\s+)", text))
    return pattern.replace("'", "''"), places
