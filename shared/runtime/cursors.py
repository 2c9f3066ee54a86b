"""Opaque page cursors: the sort key of the last item, as URL-safe text."""

import base64
import binascii
import json

from shared.runtime.problems import InvalidRequest


def encode_cursor(key: list[str]) -> str:
    """Text that `decode_cursor` gives the key back from."""
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, parts: int) -> list[str]:
    """The sort key, `parts` strings long. Raises InvalidRequest for anything that we did not write."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        key = json.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, UnicodeError) as error:
        raise InvalidRequest("cursor is not one that this endpoint handed out") from error
    if not isinstance(key, list) or len(key) != parts or not all(isinstance(part, str) for part in key):
        raise InvalidRequest("cursor is not one that this endpoint handed out")
    return key
