"""Which of two contents of one key is the newer one."""

from collections.abc import Iterable, Mapping
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
    """What is known does not tell the order of these versions: only the bucket's own list can."""

    def __init__(self, *version_ids: str) -> None:
        super().__init__(*version_ids)
        self.version_ids = version_ids


def is_newer(one: VersionPlace, other: VersionPlace, listed: Mapping[str, int] | None = None) -> bool:
    """Whether `one` was stored after `other`. Raises OrderUnknown, which `listed` (version id → age rank) settles.

    1. S3's sequencers, where both have one: hexadecimal texts, the shorter one padded with zeros on the right
       (https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html).
    2. The times at which they were stored; S3 tells them in whole seconds.
    3. The bucket's list of versions, newest first. One that is not in `listed` may have come since: ask anew.
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
        if listed is None or not {one.version_id, other.version_id} <= listed.keys():
            raise OrderUnknown(one.version_id, other.version_id)
        ranks = listed[one.version_id], listed[other.version_id]
        if ranks[0] != ranks[1]:
            return ranks[0] < ranks[1]
    if one.claimed_at and other.claimed_at:
        return one.claimed_at > other.claimed_at
    return one.claimed_at is not None


def ranked(newest_first: Mapping[str, int], asked_before: Iterable[str]) -> dict[str, int]:
    """A fresh list with those that were asked about before it was made: what it lacks of them is gone from the bucket,
    and older than all that is there."""
    return {version_id: len(newest_first) for version_id in asked_before} | dict(newest_first)
