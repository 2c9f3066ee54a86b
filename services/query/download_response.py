"""An answer whose body is an open object: streamed, with its length, and closed whatever becomes of the caller."""

import asyncio
from collections.abc import Mapping

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from services.query.ports import OpenObject


class DownloadResponse(StreamingResponse):
    """`seconds` bounds the whole: a caller that does not read must not hold a connection to the store for ever."""

    def __init__(
        self, source: OpenObject, media_type: str, *, seconds: float, headers: Mapping[str, str] | None = None
    ) -> None:
        length = {"Content-Length": str(source.size_bytes)}
        super().__init__(source.chunks(), headers={**length, **(headers or {})}, media_type=media_type)
        self._source = source
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            # The length is told before the body: one that is cut short is seen as such by the caller.
            async with asyncio.timeout(self._seconds):
                await super().__call__(scope, receive, send)
        finally:
            await self._source.close()
