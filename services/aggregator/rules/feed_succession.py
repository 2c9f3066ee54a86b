"""What a feed's end means for other feeds: whose contribution it takes back, and whether it may count at all.

Decided from rows that the caller holds locked, so that feeds that end at the same moment end right in any order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.aggregator.errors import MustWait, NewerVersion, RelationRefused
from services.aggregator.rules.version_order import VersionPlace, is_newer
from shared.schemas.feed_options import FeedOptions
from shared.schemas.feeds import FeedError, FeedType, ProcessingStatus

UNKNOWN_FEED = "reference/unknown_feed"


@dataclass(frozen=True, slots=True)
class KnownFeed:
    """A feed as its row has it. `counts`: its contribution is part of the totals now."""

    feed_id: UUID
    seller_id: str
    feed_type: FeedType
    status: ProcessingStatus
    counts: bool
    place: VersionPlace
    replaced_by: UUID | None = None
    duplicate_of: UUID | None = None
    withdrawn: bool = False
    rows_received: int = 0
    rows_rejected: int = 0

    @property
    def has_applied(self) -> bool:
        """DONE, or DONE before and now to be read once more."""
        return self.counts or self.status is ProcessingStatus.DONE


@dataclass(frozen=True, slots=True)
class Refused:
    """The relation that was asked for cannot be: FATAL."""

    error: FeedError


@dataclass(frozen=True, slots=True)
class WaitsFor:
    """Another feed has to end first: try again later."""

    feed_id: UUID


@dataclass(frozen=True, slots=True)
class Superseded:
    """A newer version of the same object is applied: this one may change nothing."""

    by: UUID


@dataclass(frozen=True, slots=True)
class Succession:
    """It may end. `takes_place_of` are linked to it, and those of them that count are taken back.

    `still_counting`: the corrections of these that count on beside it, as far as they were asked for.
    """

    takes_place_of: tuple[UUID, ...] = ()
    duplicate_of: KnownFeed | None = None
    still_counting: tuple[UUID, ...] = ()

    @property
    def replaces(self) -> UUID | None:
        return self.takes_place_of[0] if self.takes_place_of else None


@dataclass(frozen=True, slots=True)
class CorrectedRows:
    """Of a feed that was read: how many of its rows would count, and how many are rejected.

    `brought_before`: what other corrections of the feed that it corrects bring now; `corrected`: what its own do.
    """

    brought: int
    rejected: int
    brought_before: int = 0
    corrected: int = 0


Decision = Refused | WaitsFor | Superseded | Succession


def permitted(decision: Decision) -> Succession:
    """The succession. Raises RelationRefused, MustWait, or NewerVersion for what is none."""
    match decision:
        case Refused(error):
            raise RelationRefused(error.code, error.message)
        case WaitsFor(feed_id):
            raise MustWait(feed_id)
        case Superseded(by):
            raise NewerVersion(by)
        case Succession():
            return decision


def succession(
    feed: KnownFeed,
    options: FeedOptions,
    *,
    named: KnownFeed | None,
    versions: Sequence[KnownFeed],
    same_content: KnownFeed | None,
    listed: Mapping[str, int] | None = None,
    rows: CorrectedRows | None = None,
) -> Decision:
    """`named` is the feed that `replaces` or `corrects` names, `versions` are the other contents of the same key,
    `same_content` is the other feed that counts with these bytes; `rows` are known once it was read.
    Raises OrderUnknown: see is_newer.
    """
    if refusal := _relation_refused(feed, options, named):
        return refusal
    same_kind = [each for each in versions if (each.seller_id, each.feed_type) == (feed.seller_id, feed.feed_type)]
    applied = [each for each in same_kind if each.has_applied]
    # A newer version that is a duplicate of this very feed counts nothing in its place.
    others = [each for each in applied if each.duplicate_of != feed.feed_id]
    newer = [each for each in others if is_newer(each.place, feed.place, listed)]
    if newer:
        return Superseded(_foremost(newer, listed).feed_id)
    replaced = [named.feed_id] if named and options.replaces else []
    # Asked by name, the very feed with these bytes is replaced; as an earlier version it simply goes on counting.
    duplicate = same_content if same_content and same_content.feed_id not in replaced else None
    if rows and rows.corrected > rows.rejected:
        return _corrected_already(rows, duplicate)
    if (
        named
        and options.corrects
        and rows
        and not duplicate
        and rows.brought > max(0, named.rows_rejected - rows.brought_before)
    ):
        return _too_many(named, rows)
    older = [
        each.feed_id
        for each in applied
        if each.counts and each.feed_id not in replaced and not (duplicate and each.feed_id == duplicate.feed_id)
    ]
    return Succession((*replaced, *older), duplicate)


def _foremost(versions: Sequence[KnownFeed], listed: Mapping[str, int] | None) -> KnownFeed:
    """The one that counts, since that is whose numbers are seen; the newest, if none or several do."""
    counting = [each for each in versions if each.counts] or versions
    foremost = counting[0]
    for each in counting[1:]:
        if is_newer(each.place, foremost.place, listed):
            foremost = each
    return foremost


def _relation_refused(feed: KnownFeed, options: FeedOptions, named: KnownFeed | None) -> Refused | WaitsFor | None:
    wanted = options.replaces or options.corrects
    if wanted is None:
        return None
    verb = "replace" if options.replaces else "correct"
    if (
        named is None
        or named.feed_id == feed.feed_id
        or (named.seller_id, named.feed_type) != (feed.seller_id, feed.feed_type)
    ):
        # One message for all of them: whether another seller has such a feed is nobody's business.
        return _refused(UNKNOWN_FEED, f"there is no feed {wanted} of this seller and type to {verb}")
    if not named.status.is_terminal and not named.counts:
        return WaitsFor(named.feed_id)
    if named.replaced_by not in (None, feed.feed_id):
        other = named.replaced_by
        return _refused("reference/replaced_feed", f"feed {wanted} was replaced by {other} already; {verb} that one")
    if named.duplicate_of:
        other = named.duplicate_of
        return _refused(
            "reference/duplicate_feed", f"feed {wanted} adds nothing, it is a duplicate of {other}; {verb} that one"
        )
    if options.corrects and not named.has_applied:
        message = f"feed {wanted} is {named.status}: none of its rows count, so send the whole file again"
        return _refused("reference/feed_not_applied", message)
    if options.corrects and named.withdrawn:
        return _refused("reference/withdrawn_feed", f"feed {wanted} was withdrawn: none of its rows count")
    return None


def _corrected_already(rows: CorrectedRows, duplicate_of: KnownFeed | None) -> Refused:
    """Of a feed that is read anew: what was corrected must not count a second time, in the feed itself, or in the one
    whose duplicate it would become."""
    if duplicate_of:
        message = (
            f"the same bytes count in feed {duplicate_of.feed_id} by now, but the feeds that correct this one brought"
            f" {rows.corrected} of its rows: beside that feed some would count twice; withdraw those feeds"
            " (`corrected_by`) first, or leave this one be"
        )
        return _refused("reference/corrected_already", message)
    message = (
        f"read so, {rows.rejected} rows of this feed are rejected, but the feeds that correct it brought"
        f" {rows.corrected}: some would count twice; withdraw those feeds (`corrected_by`) first, or leave this one be"
    )
    return _refused("reference/corrected_already", message)


def _too_many(named: KnownFeed, rows: CorrectedRows) -> Refused:
    before = f", of which other corrections brought {rows.brought_before} already" if rows.brought_before else ""
    message = (
        f"this file has {rows.brought} valid rows, but feed {named.feed_id} had {named.rows_rejected} rejected"
        f"{before}; a correction holds the fixed rejected rows only: send those, or the whole file with `replaces`"
    )
    return _refused("reference/too_many_corrections", message)


def _refused(code: str, message: str) -> Refused:
    return Refused(FeedError(code=code, message=message))
