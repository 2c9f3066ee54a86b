"""What a person reads about a feed: one sentence, a subject line, a text."""

import unicodedata
from datetime import UTC

from services.notifier.rules.bounds import MAX_MESSAGE_CHARACTERS, MAX_NAME_CHARACTERS, MAX_URI_CHARACTERS, shortened
from shared.schemas.events import (
    FeedCancelled,
    FeedChange,
    FeedEvent,
    FeedFailed,
    FeedOutcome,
    FeedReplaced,
    FeedReprocessFailed,
    FeedWithdrawn,
)
from shared.schemas.feeds import Counts
from shared.schemas.issues import IssueTotal

SUBJECT_MAX_CHARACTERS = 99
"""SNS: ASCII, fewer than 100 characters, no line breaks or control characters.
https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""
TEXT_ISSUE_TOTALS = 20

_ROWS = (
    ("accepted", "rows_accepted"),
    ("rejected", "rows_rejected"),
    ("duplicate", "rows_duplicate"),
    ("skipped", "rows_skipped"),
)


def headline(event: FeedEvent) -> str:
    """What happened, without the file's name: `20 of 21 rows counted, 1 rejected`."""
    match event:
        case FeedFailed():
            return "feed failed, nothing counted"
        case FeedReprocessFailed():
            return "feed could not be read anew, its earlier result stands"
        case FeedWithdrawn():
            return f"feed withdrawn, {_rows(event.rows_taken_back)} no longer counted"
        case FeedReplaced():
            return f"feed replaced by another, {_rows(event.rows_taken_back)} no longer counted"
        case FeedCancelled():
            return "feed cancelled, nothing counted"
    if event.duplicate_of:
        return "feed already counted, not counted again"
    counts = event.counts
    if not counts.rows_received:
        return "feed without rows, nothing to count"
    others = [f"{getattr(counts, name):,} {word}" for word, name in _ROWS[1:] if getattr(counts, name)]
    counted = f"{counts.rows_accepted:,} of {_rows(counts.rows_received)} counted"
    return ", ".join([counted, *others])


def subject(event: FeedEvent) -> str:
    """Fit for SNS and for a mailbox: what happened first, the file's name as far as it goes."""
    said = headline(event)
    line = f"{said[:1].upper()}{said[1:]}: {_one_line(event.file_name)}"
    # What ASCII cannot say is left out letter by letter (ü becomes u) or marked.
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", line) if not unicodedata.combining(sign))
    ascii_line = plain.encode("ascii", "replace").decode("ascii")
    return ascii_line if len(ascii_line) <= SUBJECT_MAX_CHARACTERS else ascii_line[: SUBJECT_MAX_CHARACTERS - 3] + "..."


def text(event: FeedEvent) -> str:
    """A plain-text message for a mailbox or a terminal; bounded."""
    name = shortened(_one_line(event.file_name), MAX_NAME_CHARACTERS)
    paragraphs = [_opening(event, name)]
    if isinstance(event, FeedFailed | FeedReprocessFailed):
        reason = shortened(_one_line(event.error.message), MAX_MESSAGE_CHARACTERS)
        paragraphs.append(f"Why: {reason} ({event.error.code})")
    if event.counts.rows_received:
        paragraphs.append(_books(event.counts))
    if isinstance(event, FeedOutcome) and event.issue_totals:
        paragraphs.append(_what_was_wrong(event.issue_totals))
    paragraphs.extend(_places(event))
    moment = event.occurred_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    when = f"{'changed' if isinstance(event, FeedChange) else 'finished'} {moment}"
    correlation = shortened(_one_line(event.correlation_id), MAX_NAME_CHARACTERS)
    paragraphs.append(
        f"Feed {event.feed_id} ({event.feed_type}) of seller {event.seller_id}, {when}.\nCorrelation id {correlation}."
    )
    return "\n\n".join(paragraphs) + "\n"


def _opening(event: FeedEvent, name: str) -> str:
    match event:
        case FeedFailed():
            return f"Your feed {name} could not be processed. None of its rows count."
        case FeedReprocessFailed():
            return f"Your feed {name} could not be read anew. What it counted before counts on, unchanged."
        case FeedWithdrawn():
            return f"Your feed {name} was withdrawn: {_rows(event.rows_taken_back)} of it left the totals."
        case FeedReplaced():
            taken_back = f"{_rows(event.rows_taken_back)} of it left the totals"
            told = f"Your feed {name} was replaced by feed {event.replaced_by}: {taken_back}."
            count = len(event.still_counting)
            corrections = "1 correction of it counts" if count == 1 else f"{count} corrections of it count"
            return f"{told} {corrections} on; withdraw what the new feed has as well." if count else told
        case FeedCancelled():
            return (
                f"Your feed {name} was cancelled before it was applied. {_why_cancelled(event)}None of its rows count."
            )
    replaced = f" It takes the place of feed {event.replaces}." if event.replaces else ""
    corrected = f" It corrects feed {event.corrects}." if event.corrects else ""
    if event.duplicate_of:
        return (
            f"Your feed {name} holds the same bytes as feed {event.duplicate_of}, which counts already."
            f" It was not counted again.{replaced}{corrected}"
        )
    if not event.counts.rows_received:
        return f"Your feed {name} was processed; it has no rows.{replaced}{corrected}"
    return f"Your feed {name} was processed: {headline(event)}.{replaced}{corrected}"


def _why_cancelled(event: FeedCancelled) -> str:
    return f"A newer version of the same file is applied, as feed {event.replaced_by}. " if event.replaced_by else ""


def _books(counts: Counts) -> str:
    lines = [("Rows received", counts.rows_received), *((f"  {word}", getattr(counts, name)) for word, name in _ROWS)]
    width = len(f"{counts.rows_received:,}")
    return "\n".join(f"{label:<15}{count:>{width},}" for label, count in lines)


def _what_was_wrong(totals: list[IssueTotal]) -> str:
    worst_first = sorted(totals, key=lambda total: (-total.rows, total.code))
    lines = [
        f"  {shortened(_one_line(total.code), MAX_NAME_CHARACTERS)} ({total.severity}): "
        + (_rows(total.rows) if total.rows else "the file as a whole")
        for total in worst_first[:TEXT_ISSUE_TOTALS]
    ]
    if len(totals) > TEXT_ISSUE_TOTALS:
        lines.append(f"  and {len(totals) - TEXT_ISSUE_TOTALS} more; the report has all of them")
    return "\n".join(["What was found:", *lines])


def _places(event: FeedEvent) -> list[str]:
    places: list[str] = []
    if not isinstance(event, FeedOutcome):
        return places
    if event.report_uri:
        places.append(f"The report: {shortened(_one_line(event.report_uri), MAX_URI_CHARACTERS)}")
    if event.rejected_uri:
        uri = shortened(_one_line(event.rejected_uri), MAX_URI_CHARACTERS)
        places.append(f"The rejected rows, to be fixed and sent again: {uri}")
    if isinstance(event, FeedFailed | FeedReprocessFailed) and event.raw_uri:
        places.append(f"The file, kept as it came: {shortened(_one_line(event.raw_uri), MAX_URI_CHARACTERS)}")
    return places


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"


def _one_line(value: str) -> str:
    """Without line ends and other control characters: a name must not be able to forge a line of ours."""
    return "".join(sign if unicodedata.category(sign) not in ("Cc", "Cf", "Zl", "Zp") else " " for sign in value)
