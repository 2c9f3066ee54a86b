"""Which feed an object is, and whose: decided from its key and metadata alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import unquote
from uuid import UUID, uuid5

from pydantic import TypeAdapter, ValidationError

from shared.schemas.base import CORRELATION_ID, SellerId
from shared.schemas.feeds import FeedError, FeedType, minted_at

FEED_NAMESPACE = UUID("5d6a3f0e-2f1b-5c53-9a53-0e7d1c2b4a61")
"""Of feed ids of dropped objects. Never change it: the ids of feeds that were already applied depend on it."""

FILE_NAME_LENGTH = 255
LONGEST_UPLOAD, CLOCKS_DIFFER = timedelta(days=7), timedelta(minutes=5)
_SELLER_ID: TypeAdapter[str] = TypeAdapter(SellerId)


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """One immutable content: `version_id` where the bucket has versions (never "null"), else known by `etag`.

    `sequencer` orders the contents of one key, where the event had one; it is no part of what the content is.
    """

    bucket: str
    key: str
    version_id: str | None
    etag: str | None
    sequencer: str | None = field(default=None, compare=False)

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    def is_same_as(self, other: "ObjectRef") -> bool:
        """Whether both name the same bytes, as far as they say."""
        if (self.bucket, self.key) != (other.bucket, other.key):
            return False
        if self.version_id and other.version_id:
            return self.version_id == other.version_id
        return self.etag == other.etag or not (self.etag and other.etag)


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What the bucket says about an object. `content`: its bytes, where they are so few that they came along."""

    ref: ObjectRef
    size_bytes: int
    last_modified: datetime
    metadata: Mapping[str, str]
    content: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class FeedIdentity:
    """A feed as it will be recorded. `received_at` is when it was handed in, `modified_at` when its object was stored,
    where that is known.

    `objection` is what makes it FATAL before its bytes are looked at.
    """

    feed_id: UUID
    seller_id: str
    feed_type: FeedType
    file_name: str
    correlation_id: str
    ref: ObjectRef
    size_bytes: int | None
    received_at: datetime | None
    objection: FeedError | None = None
    modified_at: datetime | None = None

    @property
    def is_dropped(self) -> bool:
        """Whether it came into the bucket past ingest: then a later version of its key takes its place."""
        return self.feed_id.version != 7


def is_folder_marker(ref: ObjectRef, size_bytes: int | None) -> bool:
    """What consoles create to show an empty folder: no file that anyone handed in."""
    return ref.key.endswith("/") and not size_bytes


def dropped_feed_id(ref: ObjectRef) -> UUID:
    """The same for every delivery of the same event."""
    return uuid5(FEED_NAMESPACE, f"{ref.bucket}/{ref.key}/{ref.version_id or ref.etag or ''}")


def minted_feed_id(key: str, metadata: Mapping[str, str] | None) -> UUID | None:
    """The id that ingest gave, if key and metadata agree on it. Without metadata (None) the key alone is asked."""
    segments = key.split("/")
    if len(segments) < 3:
        return None
    try:
        in_key = UUID(segments[1])
        named = in_key if metadata is None else UUID(metadata.get("feed-id", ""))
    except ValueError:
        return None
    return in_key if in_key == named and str(in_key) == segments[1] else None


def identify(ref: ObjectRef, facts: ObjectFacts | None, default_seller_id: str) -> tuple[FeedIdentity, ...]:
    """Who this feed may be, best first: under the id that ingest minted, else under the one its object gives it.

    The caller takes the first whose id does not belong to another object: an imitated key swallows no file.
    `facts` is None when the object is not there.
    """
    metadata = facts.metadata if facts else {}
    seller_id, seller_objection = _seller(ref.key, metadata, default_seller_id)
    feed_type, type_objection = _feed_type(metadata)
    objection = seller_objection or type_objection
    if facts is None:
        objection = FeedError(
            code="reference/missing_object",
            message=f"{ref.uri} is not in the bucket any more, or its content was replaced before it could be read",
        )
    minted = minted_feed_id(ref.key, facts.metadata if facts else None)
    offered = metadata.get("correlation-id", "")
    return tuple(
        FeedIdentity(
            feed_id=feed_id,
            seller_id=seller_id,
            feed_type=feed_type,
            file_name=_file_name(ref.key, metadata),
            correlation_id=offered if CORRELATION_ID.fullmatch(offered) else str(feed_id),
            ref=ref,
            size_bytes=facts.size_bytes if facts else None,
            received_at=_received_at(feed_id, facts.last_modified) if facts else None,
            objection=objection,
            modified_at=facts.last_modified if facts else None,
        )
        for feed_id in (minted, dropped_feed_id(ref))
        if feed_id
    )


def _received_at(feed_id: UUID, last_modified: datetime) -> datetime:
    """When ingest took the upload, as its receipt says; for other objects, when they were stored (in whole seconds)."""
    minted = minted_at(feed_id)
    believable = minted is not None and last_modified - LONGEST_UPLOAD <= minted <= last_modified + CLOCKS_DIFFER
    return minted if minted and believable else last_modified


def _seller(key: str, metadata: Mapping[str, str], default: str) -> tuple[str, FeedError | None]:
    segment, slash, _ = key.partition("/")
    named = metadata.get("seller-id")
    if not slash:
        segment = named or default
    if not _is_seller(segment):
        return default, FeedError(code="reference/invalid_seller", message=f"{segment[:100]!r} cannot be a seller's id")
    if named and named != segment:
        message = f"the object lies under seller {segment}, its metadata names {named[:100]!r}"
        return segment, FeedError(code="authorization/seller_mismatch", message=message)
    return segment, None


def _is_seller(text: str) -> bool:
    try:
        _SELLER_ID.validate_python(text)
    except ValidationError:
        return False
    return True


def _feed_type(metadata: Mapping[str, str]) -> tuple[FeedType, FeedError | None]:
    named = metadata.get("feed-type", FeedType.TRANSACTIONS.value)
    try:
        return FeedType(named), None
    except ValueError:
        known = ", ".join(FeedType)
        message = f"feed-type {named[:100]!r} is not known; known are: {known}"
        return FeedType.TRANSACTIONS, FeedError(code="reference/invalid_option", message=message)


def _file_name(key: str, metadata: Mapping[str, str]) -> str:
    # Metadata is ASCII on the wire: ingest percent-encodes the name.
    name = unquote(metadata.get("file-name", "")) or key.rstrip("/").rpartition("/")[2] or key
    return name[:FILE_NAME_LENGTH]
