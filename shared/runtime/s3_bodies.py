"""The bodies of small S3 objects, whole: one read of theirs brings what has arrived so far, not what there is."""

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types_aiobotocore_s3.type_defs import GetObjectOutputTypeDef


class BodyNotWhole(OSError):
    """A body that ended early, or is larger than such an object can be. An outage, as whatever else S3 fails with."""


async def read_whole(answer: "GetObjectOutputTypeDef", max_bytes: int, seconds: float) -> bytes:
    """All bytes of what a GET answered with, at most `max_bytes`; closes it.

    Raises BodyNotWhole, TimeoutError if it takes longer than `seconds`, and what aiohttp raises.
    """
    size_bytes = answer["ContentLength"]
    received = bytearray()
    # What the body yields as a context is the bare response, whose read() takes no limit.
    body = answer["Body"]
    async with body, asyncio.timeout(seconds):
        if size_bytes > max_bytes:
            raise BodyNotWhole(f"the body has {size_bytes} bytes, where at most {max_bytes} can be")
        # Until nothing comes, not until the announced size: its connection is free for others only then.
        while (chunk := await body.read(max_bytes)) and len(received) <= size_bytes:
            received += chunk
    if len(received) != size_bytes:
        raise BodyNotWhole(f"the body ended after {len(received)} of {size_bytes} bytes")
    return bytes(received)
