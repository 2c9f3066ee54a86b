"""What is handed back of a feed: a report where none was stored, and the name under which a file is saved."""

import re
import unicodedata
from urllib.parse import quote

from shared.schemas.feeds import Counts, FeedView
from shared.schemas.reports import FeedReport, ReportHeader, ReportSummary

_STEM_BYTES = 200
"""File systems take 255 bytes, suffix included."""
_KNOWN_SUFFIX = re.compile(r"(\.(csv|tsv|txt|jsonl|ndjson|json|parquet|xlsx))?(\.(gz|zst))?$", re.IGNORECASE)
_NOT_IN_A_NAME = {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"}
_NOT_IN_A_FILE_SYSTEM = re.compile(r'[/\\:*?"<>|]')


def plain_report(feed: FeedView) -> FeedReport:
    """Of a finished feed that had nothing to report: its books."""
    return FeedReport(
        header=ReportHeader(
            feed_id=feed.feed_id,
            seller_id=feed.seller_id,
            feed_type=feed.feed_type,
            file_name=feed.file_name,
            processing_status=feed.processing_status,
            recognised_layout=feed.recognised.layout if feed.recognised else None,
            recognised=feed.recognised,
            duplicate_of=feed.duplicate_of,
            replaces=feed.replaces,
            replaced_by=feed.replaced_by,
            corrects=feed.corrects,
            created_at=feed.finished_at or feed.received_at,
        ),
        summary=ReportSummary(counts=feed.counts or Counts(), issue_totals=feed.issue_totals),
        error=feed.error,
    )


def rejected_file_name(file_name: str) -> str:
    """`sales.csv.gz` → `sales.rejected.csv`: no path, no sign that hides others, bounded, never empty."""
    kept = "".join(sign for sign in file_name if unicodedata.category(sign) not in _NOT_IN_A_NAME)
    stem = _KNOWN_SUFFIX.sub("", _NOT_IN_A_FILE_SYSTEM.sub("_", kept)).strip(" .")
    cut = stem.encode()[:_STEM_BYTES].decode(errors="ignore")
    return f"{cut.rstrip(' .') or 'feed'}.rejected.csv"


def attachment(file_name: str) -> str:
    """The Content-Disposition that saves under this name: RFC 6266, with an ASCII stand-in for clients of old."""
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", file_name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file_name, safe='')}"
