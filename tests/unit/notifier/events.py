"""Events for tests: the recorded samples, and any that the contract allows."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

from hypothesis import strategies as st

from shared.schemas.events import (
    EVENT_ISSUES_LIMIT,
    FEED_EVENT,
    FeedCancelled,
    FeedEvent,
    FeedFailed,
    FeedProcessed,
    FeedReplaced,
    FeedReprocessFailed,
    FeedWithdrawn,
    Phase,
)
from shared.schemas.feeds import Counts, FeedError, FeedType
from shared.schemas.issues import Issue, IssueTotal, Severity

SAMPLES = Path(__file__).parents[2] / "samples" / "events"
SAMPLE_NAMES = sorted(path.stem for path in SAMPLES.glob("*.json"))

# Long texts by repetition: what bounds are about is length, and hypothesis need not draw each character.
texts = st.builds(lambda text, times: text * times, st.text(max_size=20), st.integers(1, 2_000))
severities = st.sampled_from(Severity)
codes = st.from_regex(r"\A[a-z]{1,12}/[a-z0-9_]{1,40}\Z")
counts = st.builds(
    lambda accepted, rejected, duplicate, skipped: Counts(
        rows_received=accepted + rejected + duplicate + skipped,
        rows_accepted=accepted,
        rows_rejected=rejected,
        rows_duplicate=duplicate,
        rows_skipped=skipped,
    ),
    *[st.integers(0, 10**12)] * 4,
)
issues = st.builds(
    Issue,
    code=codes,
    severity=severities,
    message=texts,
    line=st.none() | st.integers(1, 10**12),
    field=st.none() | texts,
    raw=st.none() | texts,
)
# Fixed offsets: an hour that occurs twice in a zone is equal to nothing in another.
moments = st.datetimes(
    min_value=datetime(1971, 1, 1),  # noqa: DTZ001 - the zone is drawn beside it
    max_value=datetime(9000, 1, 1),  # noqa: DTZ001
    timezones=st.integers(-720, 840).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
_COMMON = {
    "event_id": st.uuids(),
    "occurred_at": moments,
    "sequence": st.integers(1, 10**6),
    "correlation_id": texts,
    "feed_id": st.uuids(),
    "seller_id": st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z"),
    "feed_type": st.sampled_from(FeedType),
    "file_name": texts,
    "bucket": st.text("abc-", min_size=3, max_size=63),
    "object_key": texts,
    "counts": counts,
}
_FIELDS = {
    **_COMMON,
    "attempt": st.integers(1, 1_000),
    "worker": texts,
    "started_at": moments,
    "issue_totals": st.builds(
        lambda total, times: [total] * times,
        st.builds(IssueTotal, code=codes, severity=severities, rows=st.integers(0, 10**12)),
        st.integers(0, 150),
    ),
    "issues": st.builds(lambda issue, times: [issue] * times, issues, st.integers(0, EVENT_ISSUES_LIMIT)),
    "report_uri": st.none() | texts,
    "rejected_uri": st.none() | texts,
    "replaces": st.none() | st.uuids(),
    "corrects": st.none() | st.uuids(),
}
processed = st.builds(FeedProcessed, **_FIELDS, duplicate_of=st.none() | st.uuids())
failed = st.sampled_from((FeedFailed, FeedReprocessFailed)).flatmap(
    lambda kind: st.builds(
        kind,
        **_FIELDS,
        error=st.builds(FeedError, code=codes, message=texts),
        phase=st.sampled_from(Phase),
        raw_uri=st.none() | texts,
    )
)
_rows = st.integers(0, 10**12)
withdrawn = st.builds(FeedWithdrawn, **_COMMON, actor=texts, rows_taken_back=_rows)
replaced = st.builds(
    FeedReplaced,
    **_COMMON,
    actor=texts,
    replaced_by=st.uuids(),
    rows_taken_back=_rows,
    still_counting=st.lists(st.uuids(), max_size=3),
)
cancelled = st.builds(FeedCancelled, **_COMMON, actor=texts, replaced_by=st.none() | st.uuids())
events = processed | failed | withdrawn | replaced | cancelled


def sample_text(name: str) -> str:
    """The recorded event as it lies in the queue."""
    return (SAMPLES / f"{name}.json").read_text(encoding="utf-8")


def sample(name: str) -> FeedEvent:
    return FEED_EVENT.validate_json(sample_text(name))
