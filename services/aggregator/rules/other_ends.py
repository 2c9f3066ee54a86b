"""Why a feed ends otherwise than by being read and counted, and what is stored then."""

from services.aggregator.errors import NewerVersion, RelationRefused, SameContent, UnreadableFeed
from services.aggregator.rules.feed_outcome import Conclusion, duplicate, failed, superseded
from shared.schemas.events import Phase
from shared.schemas.feed_options import FeedOptions
from shared.schemas.feeds import FeedError

OtherEnd = UnreadableFeed | RelationRefused | NewerVersion | SameContent
OTHER_ENDS = (UnreadableFeed, RelationRefused, NewerVersion, SameContent)


def other_end(reason: OtherEnd, sha256: str | None, options: FeedOptions) -> Conclusion:
    """`sha256` is known if the bytes were fetched."""
    match reason:
        case SameContent():
            return duplicate(reason.feed_id, reason.rows_received, sha256, options)
        case NewerVersion():
            return superseded(reason.by, sha256, options)
        case RelationRefused():
            phase = Phase.STORE
        case UnreadableFeed():
            phase = Phase.READ if sha256 else Phase.RECEIVE
    return failed(FeedError(code=reason.code, message=reason.message), phase, sha256, options)
