"""What is wrong with a request, as sentences for the one who sent it; the library's own wording is for programmers."""

from collections.abc import Callable, Mapping
from typing import Any

Fault = Mapping[str, Any]
"""One entry of a validation error's `errors()`."""

_NO_SUCH_DAY = "must be a day that exists, written as YYYY-MM-DD"
_SENTENCES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "missing": lambda _: "is required",
    "extra_forbidden": lambda _: "is not known here",
    "value_error": lambda ctx: str(ctx["error"]),
    "greater_than_equal": lambda ctx: f"must be at least {ctx['ge']}",
    "less_than_equal": lambda ctx: f"must be at most {ctx['le']}",
    "int_parsing": lambda _: "must be a whole number",
    "int_type": lambda _: "must be a whole number",
    "string_type": lambda _: "must be text",
    "string_too_short": lambda ctx: (
        "must not be empty" if ctx["min_length"] == 1 else f"must have at least {ctx['min_length']} characters"
    ),
    "string_too_long": lambda ctx: f"must have at most {ctx['max_length']} characters",
    "string_pattern_mismatch": lambda ctx: f"must match {ctx['pattern']}",
    "too_long": lambda ctx: f"must have at most {ctx['max_length']} entries",
    "too_short": lambda ctx: "must not be empty" if ctx["min_length"] == 1 else f"needs {ctx['min_length']} entries",
    "enum": lambda ctx: f"must be {ctx['expected']}",
    "uuid_parsing": lambda _: "must be a UUID",
    "uuid_type": lambda _: "must be a UUID",
    "date_parsing": lambda _: _NO_SUCH_DAY,
    "date_from_datetime_parsing": lambda _: _NO_SUCH_DAY,
    "json_invalid": lambda ctx: f"is not valid JSON ({ctx['error']})",
}
_NO_OBJECT = frozenset({"model_attributes_type", "model_type", "dict_type"})


def fault_in_words(fault: Fault, content_type: str = "") -> tuple[str, str]:
    """The field and what is wrong with it, without a full stop: ("query.limit", "must be at least 1")."""
    kind, place = str(fault["type"]), tuple(fault.get("loc", ()))
    # Behind the body of broken JSON, the library puts the character's number.
    place = place[:1] if kind == "json_invalid" else place
    field = ".".join(str(part) for part in place)
    if kind in _NO_OBJECT:
        if field == "body" and "json" not in content_type.lower():
            return field, "must be JSON, sent with the header Content-Type: application/json"
        return field, "must be a JSON object"
    sentence = _SENTENCES.get(kind)
    return field, sentence(fault.get("ctx", {})) if sentence else str(fault["msg"])
