"""Whether a text is JSON Lines or a JSON array, told from its beginning. What only looks like it is delimited text."""

import json
import re

from services.aggregator.errors import UnreadableFeed
from services.aggregator.rules.white_space import IN_BLANK_LINES

LINES, ARRAY = "json_lines", "json_array"

_STRING = r'"(?>[^"\\]++|\\.)*+"'
_LINE_END = re.compile("\r\n|[\r\n]")
_OBJECT = re.compile(rf"\{{\s*+(?:{_STRING}\s*+:|\}})", re.DOTALL)
_ARRAY = re.compile(rf"\[\s*+(?:\{{\s*+(?:{_STRING}\s*+:|\}})|\]\s*+$)", re.DOTALL)


def json_kind(beginning: str, *, is_whole: bool) -> str | None:
    """`json_lines`, `json_array` or None for a text that begins like this, `is_whole` if that is all of it.

    Raises UnreadableFeed `format/unsupported` for an object that is spread over lines: it is neither.
    """
    text = beginning.lstrip(IN_BLANK_LINES)
    if text.startswith("["):
        return ARRAY if _ARRAY.match(text) or _is_value(text, is_whole) else None
    if not _OBJECT.match(text):
        return None
    first, *others = _LINE_END.split(text)
    # The line that the beginning ends in may be cut off.
    whole = [first, *others][: None if is_whole else -1]
    if not whole or any(_is_value(line, True) for line in whole):
        return LINES
    if not _OBJECT.match(first) or (is_whole and _is_value(text, True)):
        message = (
            "This is a JSON object spread over several lines. Please send JSON Lines (one object on each line), or one "
            "array of objects."
        )
        raise UnreadableFeed("format/unsupported", message)
    return None


def _is_value(text: str, is_whole: bool) -> bool:
    """Whether this is an object or an array; never true of what is cut off."""
    if not is_whole or not text.strip().startswith(("{", "[")):
        return False
    try:
        json.loads(text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return False
    return True
