"""Which of two contents of one key is the newer one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class VersionPlace:
    """Where one content stands among those of its key, as far as is known. `claimed_at`: first taken up by a worker."""

    version_id: str | None
    sequencer: str | None
    modified_at: datetime | None
    claimed_at: datetime | None = None


class OrderUnknown(Exception):
    """What is known does not tell: only the bucket's own list of versions can."""


def is_newer(one: VersionPlace, other: VersionPlace, listed: Mapping[str, int] | None = None) -> bool:
    """Whether `one` was stored after `other`. Raises OrderUnknown, which `listed` (version id → age rank) settles.

    1. S3's sequencers, where both have one: hexadecimal texts, the shorter one padded with zeros on the right
       (https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html).
    2. The times at which they were stored; S3 tells them in whole seconds.
    3. The bucket's list of versions, newest first; one that it no longer has is older than those that it has.
    4. A bucket without versions has the newest content only: what could be described later is newer.
    """
    if one.sequencer and other.sequencer:
        width = max(len(one.sequencer), len(other.sequencer))
        mine, others = (each.lower().ljust(width, "0") for each in (one.sequencer, other.sequencer))
        if mine != others:
            return mine > others
    if one.modified_at and other.modified_at and one.modified_at != other.modified_at:
        return one.modified_at > other.modified_at
    if one.version_id and other.version_id:
        if listed is None:
            raise OrderUnknown
        last = len(listed)
        ranks = listed.get(one.version_id, last), listed.get(other.version_id, last)
        if ranks[0] != ranks[1]:
            return ranks[0] < ranks[1]
    if one.claimed_at and other.claimed_at:
        return one.claimed_at > other.claimed_at
    return one.claimed_at is not None
