"""How a feed ended, and what is said about it: in its report and in its event."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid5

from services.aggregator.rules.feed_lease import Claimed
from shared.schemas.events import EVENT_ISSUES_LIMIT, FeedFailed, FeedProcessed, Phase
from shared.schemas.feeds import Counts, FeedError, ProcessingStatus
from shared.schemas.issues import Issue, IssueTotal
from shared.schemas.reports import FeedReport, ReportHeader, ReportSummary

REPORT_ISSUES_LIMIT = 1_000
EVENT_BYTES_LIMIT = 100_000
"""SNS takes 262,144 bytes in a batch; an event that never fits would never leave."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What is to be stored of a feed. `issues` are its first ones of `issue_count`; `issue_totals` has their rows."""

    status: ProcessingStatus
    counts: Counts
    phase: Phase = Phase.STORE
    sha256: str | None = None
    layout: str | None = None
    issue_totals: tuple[IssueTotal, ...] = ()
    issues: tuple[Issue, ...] = ()
    issue_count: int = 0
    error: FeedError | None = None
    duplicate_of: UUID | None = None
    report_uri: str | None = None
    raw_uri: str | None = None

    @property
    def adds_to_totals(self) -> bool:
        return self.status is ProcessingStatus.DONE and self.duplicate_of is None

    @property
    def wants_report(self) -> bool:
        """A duplicate has one too: it replaces what a rival reading of the same feed may have left there."""
        return bool(self.issue_totals or self.error or self.duplicate_of)


def failed(error: FeedError, phase: Phase, sha256: str | None = None) -> Conclusion:
    """FATAL, unreadable: all counts are 0."""
    return Conclusion(status=ProcessingStatus.FATAL, counts=Counts(), phase=phase, sha256=sha256, error=error)


def duplicate(original: UUID, rows_received: int, sha256: str | None) -> Conclusion:
    """DONE, and every row counts already."""
    counts = Counts(rows_received=rows_received, rows_duplicate=rows_received)
    return Conclusion(status=ProcessingStatus.DONE, counts=counts, sha256=sha256, duplicate_of=original)


def report_of(claim: Claimed, conclusion: Conclusion, at: datetime) -> FeedReport:
    feed = claim.feed
    shown = conclusion.issues[:REPORT_ISSUES_LIMIT]
    return FeedReport(
        header=ReportHeader(
            feed_id=feed.feed_id,
            seller_id=feed.seller_id,
            feed_type=feed.feed_type,
            file_name=feed.file_name,
            processing_status=conclusion.status,
            recognised_layout=conclusion.layout,
            duplicate_of=conclusion.duplicate_of,
            created_at=at,
        ),
        summary=ReportSummary(counts=conclusion.counts, issue_totals=list(conclusion.issue_totals)),
        error=conclusion.error,
        issues=list(shown),
        issues_omitted=conclusion.issue_count - len(shown),
    )


def event_of(claim: Claimed, conclusion: Conclusion, at: datetime) -> FeedProcessed | FeedFailed:
    """The announcement. Its id and sequence come from the fence, so that no retry and no rival can change them."""
    event_type = "FeedFailed" if conclusion.status is ProcessingStatus.FATAL else "FeedProcessed"
    feed = claim.feed
    outcome = {
        "event_id": uuid5(feed.feed_id, f"{claim.fence}/{event_type}"),
        "occurred_at": at,
        "sequence": claim.fence,
        "correlation_id": feed.correlation_id,
        "feed_id": feed.feed_id,
        "seller_id": feed.seller_id,
        "feed_type": feed.feed_type,
        "file_name": feed.file_name,
        "bucket": feed.ref.bucket,
        "object_key": feed.ref.key,
        "attempt": claim.attempt,
        "worker": claim.owner,
        "started_at": claim.started_at,
        "counts": conclusion.counts,
        "issue_totals": list(conclusion.issue_totals),
        "issues": list(conclusion.issues[:EVENT_ISSUES_LIMIT]),
        "report_uri": conclusion.report_uri,
    }
    if conclusion.error and event_type == "FeedFailed":
        return FeedFailed.model_validate(
            outcome | {"error": conclusion.error, "phase": conclusion.phase, "raw_uri": conclusion.raw_uri}
        )
    return FeedProcessed.model_validate(outcome | {"duplicate_of": conclusion.duplicate_of})


def event_body(claim: Claimed, conclusion: Conclusion, at: datetime) -> tuple[FeedProcessed | FeedFailed, str]:
    """The event and its JSON, with as many of its issues as leave it below EVENT_BYTES_LIMIT."""
    while True:
        event = event_of(claim, conclusion, at)
        body = event.model_dump_json()
        if not event.issues or len(body.encode()) <= EVENT_BYTES_LIMIT:
            return event, body
        conclusion = replace(conclusion, issues=conclusion.issues[: len(event.issues) // 2])
