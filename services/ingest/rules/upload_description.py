"""What /docs says of an upload: its body and its headers. The options' part is taken from FeedOptions."""

from typing import Any

from services.ingest.rules.form_reader import FILE_FIELD
from services.ingest.rules.upload_options import FEED_OPTIONS, HEADERS
from shared.schemas.feed_options import FeedOptions
from shared.schemas.feeds import FeedType

_NOT_FOR_A_FORM = ("title", "anyOf", "allOf", "$ref")


def _feed_options() -> dict[str, dict[str, Any]]:
    """As form fields: text that may be left out, never null."""
    schema = FeedOptions.model_json_schema()
    return {option: _field(schema["properties"][option], schema.get("$defs", {})) for option in FEED_OPTIONS}


def _field(described: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    # Of what may be null, the first kind is the one that can be written; of a percentage, the number.
    kinds = described.get("anyOf") or described.get("allOf") or [described]
    kind = kinds[0]
    kind = shared[kind["$ref"].rpartition("/")[2]] if "$ref" in kind else kind
    plain = {name: value for name, value in (kind | described).items() if name not in _NOT_FOR_A_FORM}
    if plain.get("default", "") is None:
        del plain["default"]
    return plain


_OPTIONS: dict[str, dict[str, Any]] = {
    "seller_id": {
        "type": "string",
        "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        "description": "Whose feed it is; the service's default seller if left out.",
        "examples": ["acme"],
    },
    "feed_type": {
        "type": "string",
        "enum": [str(feed_type) for feed_type in FeedType],
        "default": str(FeedType.TRANSACTIONS),
        "description": "What the file's rows are about.",
        "examples": [str(FeedType.TRANSACTIONS)],
    },
    **_feed_options(),
}

BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": [FILE_FIELD],
                "additionalProperties": False,
                "properties": _OPTIONS
                | {FILE_FIELD: {"type": "string", "format": "binary", "description": "The feed. Comes last."}},
            }
        }
    },
}

HEADER_PARAMETERS: list[dict[str, Any]] = [
    {
        "name": header,
        "in": "header",
        "required": False,
        "schema": _OPTIONS[option],
        "description": f"The same as the field `{option}`; if both are given they must agree.",
    }
    for option, header in HEADERS.items()
]
