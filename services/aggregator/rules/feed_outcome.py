"""How a feed ended, and what its report says about it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from services.aggregator.rules.feed_issues import corrections_still_count
from services.aggregator.rules.feed_lease import Claimed
from shared.schemas.events import Phase
from shared.schemas.feed_options import FeedOptions, OnError
from shared.schemas.feeds import Counts, FeedError, ProcessingStatus, Recognised
from shared.schemas.issues import Issue, IssueTotal
from shared.schemas.reports import FeedReport, ReportHeader, ReportSummary

REPORT_ISSUES_LIMIT = 1_000


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What is to be stored of a feed. `issues` are its first ones of `issue_count`; `issue_totals` has their rows.

    `options` are None if they cannot be meant. `replaces` is the feed whose place this one takes;
    `still_counting` are the corrections of such feeds that its issues warn of.
    """

    status: ProcessingStatus
    counts: Counts
    phase: Phase = Phase.STORE
    sha256: str | None = None
    options: FeedOptions | None = field(default_factory=FeedOptions)
    recognised: Recognised | None = None
    issue_totals: tuple[IssueTotal, ...] = ()
    issues: tuple[Issue, ...] = ()
    issue_count: int = 0
    error: FeedError | None = None
    duplicate_of: UUID | None = None
    replaces: UUID | None = None
    replaced_by: UUID | None = None
    report_uri: str | None = None
    rejected_uri: str | None = None
    raw_uri: str | None = None
    still_counting: tuple[UUID, ...] = ()

    @property
    def adds_to_totals(self) -> bool:
        return self.status is ProcessingStatus.DONE and self.duplicate_of is None

    @property
    def corrects(self) -> UUID | None:
        """What it corrects counts only where it was applied: a FATAL feed corrects nothing."""
        return self.options.corrects if self.options and self.status is ProcessingStatus.DONE else None

    @property
    def layout(self) -> str | None:
        return self.recognised.layout if self.recognised else None


def failed(error: FeedError, phase: Phase, sha256: str | None = None, options: FeedOptions | None = None) -> Conclusion:
    """FATAL, unreadable: all counts are 0."""
    return Conclusion(
        status=ProcessingStatus.FATAL, counts=Counts(), phase=phase, sha256=sha256, options=options, error=error
    )


def duplicate(original: UUID, rows_received: int, sha256: str | None, options: FeedOptions | None = None) -> Conclusion:
    """DONE, and every row counts already."""
    counts = Counts(rows_received=rows_received, rows_duplicate=rows_received)
    return Conclusion(
        status=ProcessingStatus.DONE,
        counts=counts,
        sha256=sha256,
        options=options or FeedOptions(),
        duplicate_of=original,
    )


def superseded(by: UUID, sha256: str | None, options: FeedOptions | None = None) -> Conclusion:
    """CANCELLED before it was applied: a newer version of its object is. It was not judged: all counts are 0."""
    return Conclusion(
        status=ProcessingStatus.CANCELLED,
        counts=Counts(),
        sha256=sha256,
        options=options or FeedOptions(),
        replaced_by=by,
    )


def warned(conclusion: Conclusion, still_counting: Sequence[UUID]) -> Conclusion:
    """With the warning that these corrections count on, if there are any; `conclusion` has none yet."""
    if not still_counting:
        return conclusion
    warning = corrections_still_count(still_counting)
    return replace(
        conclusion,
        still_counting=tuple(still_counting),
        issues=(warning, *conclusion.issues),
        issue_totals=(IssueTotal(code=warning.code, severity=warning.severity, rows=0), *conclusion.issue_totals),
        issue_count=conclusion.issue_count + 1,
    )


def judged(conclusion: Conclusion, options: FeedOptions) -> Conclusion:
    """FATAL if more rows are rejected than `options` bear, else as it was.

    The books of such a feed: nothing is accepted, rows that were fine are skipped, the others stay what they are.
    """
    error = _unbearable(conclusion.counts, options)
    if error is None:
        return conclusion
    counts = conclusion.counts
    return replace(
        conclusion,
        status=ProcessingStatus.FATAL,
        phase=Phase.VALIDATE,
        error=error,
        counts=Counts(
            rows_received=counts.rows_received,
            rows_rejected=counts.rows_rejected,
            rows_duplicate=counts.rows_duplicate,
            rows_skipped=counts.rows_skipped + counts.rows_accepted,
        ),
    )


def _unbearable(counts: Counts, options: FeedOptions) -> FeedError | None:
    rejected, received = counts.rows_rejected, counts.rows_received
    if not rejected:
        return None
    if options.on_error is OnError.SKIP_FILE:
        message = f"{rejected} of {received} rows were rejected, and on_error=skip_file bears none"
        return FeedError(code="validation/rows_rejected", message=message)
    most = options.max_rejected_percent
    # Without a division: no share is rounded to the limit.
    if most is not None and Decimal(rejected) * 100 > most * received:
        message = f"{rejected} of {received} rows were rejected, more than max_rejected_percent={most:f} bears"
        return FeedError(code="validation/too_many_rejected", message=message)
    return None


def _replaced_by_name(conclusion: Conclusion) -> UUID | None:
    """As row and event will have it: a feed that is not DONE replaces nothing. Older versions of the same object are
    known only to the commit, after the report."""
    if conclusion.options is None or conclusion.status is not ProcessingStatus.DONE:
        return None
    return conclusion.options.replaces


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
            recognised=conclusion.recognised,
            options=conclusion.options,
            duplicate_of=conclusion.duplicate_of,
            replaces=_replaced_by_name(conclusion),
            replaced_by=conclusion.replaced_by,
            corrects=conclusion.corrects,
            created_at=at,
        ),
        summary=ReportSummary(counts=conclusion.counts, issue_totals=list(conclusion.issue_totals)),
        error=conclusion.error,
        issues=list(shown),
        issues_omitted=conclusion.issue_count - len(shown),
        rejected_uri=conclusion.rejected_uri,
    )
