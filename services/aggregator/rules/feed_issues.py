"""What is told about a feed as a whole, whatever its rows are like."""

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
