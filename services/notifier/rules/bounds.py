"""Limits on what is written, so that no event can outgrow a DynamoDB item (400 KB) or an SNS message (256 KB)."""

MAX_NAME_CHARACTERS = 255
MAX_MESSAGE_CHARACTERS = 1_000
MAX_RAW_CHARACTERS = 1_000
MAX_URI_CHARACTERS = 2_048
MAX_ISSUE_TOTALS = 100


def shortened(text: str, limit: int) -> str:
    """At most `limit` characters; a cut is shown by an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
