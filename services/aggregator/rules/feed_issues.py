"""What is told about a feed as a whole, whatever its rows are like."""

from collections.abc import Sequence
from uuid import UUID

from shared.schemas.issues import Issue, Severity

NO_ROWS = Issue(
    code="format/no_rows",
    severity=Severity.WARNING,
    message="The file has a header but no rows; nothing was counted.",
)


def ignored_columns(names: tuple[str, ...]) -> Issue:
    """Tells which columns were not read."""
    shown = ", ".join(name[:60] for name in names[:20]) + (", …" if len(names) > 20 else "")
    message = f"Columns that are not known were ignored: {shown}."
    return Issue(code="format/ignored_columns", severity=Severity.INFO, message=message)


def corrections_still_count(feeds: Sequence[UUID]) -> Issue:
    """Tells which corrections of a feed count on beside the one that took its place."""
    shown = ", ".join(map(str, feeds[:20])) + (", …" if len(feeds) > 20 else "")
    message = (
        "What this feed takes the place of was corrected, and the corrections count on. Rows of theirs that are in this"
        f" file, too, count twice: withdraw those corrections. They are {shown}."
    )
    return Issue(code="reference/corrections_still_count", severity=Severity.WARNING, message=message)
