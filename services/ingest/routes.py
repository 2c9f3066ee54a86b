"""HTTP in → the upload flow → HTTP out."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

import structlog
from fastapi import APIRouter, Depends, Request, Response
from starlette.requests import ClientDisconnect

from services.ingest.accept_upload import AcceptUpload
from services.ingest.errors import Busy, ClientGone, ClientTooSlow, NotMultipart
from services.ingest.rules.form_reader import boundary_of
from services.ingest.rules.upload_description import BODY, HEADER_PARAMETERS
from services.ingest.rules.upload_options import HEADERS
from shared.runtime.app import current_correlation_id, no_query_parameters
from shared.runtime.problems import PROBLEM_RESPONSES
from shared.schemas.feeds import UploadAccepted

log = structlog.get_logger(__name__)

router = APIRouter(tags=["uploads"], responses=PROBLEM_RESPONSES)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: between two pieces of a body, for one upload as a whole, and for its turn."""

    idle: float
    upload: float
    slot: float


class UploadDoor:
    """Lets a bounded number of uploads in at once, and none stay for ever."""

    def __init__(self, accept: AcceptUpload, max_concurrent: int, patience: Patience) -> None:
        self.accept = accept
        self.patience = patience
        self._slots = asyncio.Semaphore(max_concurrent)
        self._inside = 0
        self._empty = asyncio.Event()
        self._empty.set()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Raises Busy if no slot is free in time; meanwhile the client's body waits in its socket."""
        try:
            async with asyncio.timeout(self.patience.slot):
                await self._slots.acquire()
        except TimeoutError as error:
            raise Busy(headers={"Retry-After": "5"}) from error
        self._inside += 1
        self._empty.clear()
        try:
            yield
        finally:
            self._slots.release()
            self._inside -= 1
            if not self._inside:
                self._empty.set()

    async def emptied(self, within_seconds: float) -> None:
        """Returns when no upload is inside, at the latest after `within_seconds`: the stores close after it."""
        try:
            async with asyncio.timeout(within_seconds):
                await self._empty.wait()
        except TimeoutError:
            log.warning("uploads.left_behind", uploads=self._inside)


@router.post(
    "/api/transactions/upload",
    status_code=202,
    summary="Hand in a feed",
    response_description="Stored, not applied yet: follow status_url",
    dependencies=[Depends(no_query_parameters)],
    response_model_exclude_defaults=True,
    openapi_extra={"requestBody": BODY, "parameters": HEADER_PARAMETERS},
)
async def upload(request: Request, response: Response) -> UploadAccepted:
    """Outside the file and answers at once; its rows are checked and counted afterwards.

    The body is streamed, so a file may be large. Put the other fields before the file, or send them as headers:
    a field that follows a large file comes too late and is refused. Sending the same bytes again is safe: they
    count once.
    """
    door: UploadDoor = request.state.door
    if request.headers.get("content-encoding", "identity") != "identity":
        raise NotMultipart("send the body without a Content-Encoding; a gzipped feed is a file like any other")
    boundary = boundary_of(request.headers.get("content-type"))
    door.accept.check_length(_content_length(request))
    async with door.slot(), aclosing(_body(request, door.patience)) as body:
        accepted = await door.accept(
            boundary,
            body,
            headers={header: request.headers.getlist(header) for header in HEADERS.values()},
            correlation_id=current_correlation_id(),
        )
    response.headers["Location"] = accepted.status_url
    return accepted


def _content_length(request: Request) -> int | None:
    text = request.headers.get("content-length", "")
    return int(text) if text.isdecimal() else None


async def _body(request: Request, patience: Patience) -> AsyncGenerator[bytes, None]:
    """The body's chunks. Raises ClientGone, ClientTooSlow."""
    clock = asyncio.get_running_loop()
    deadline = clock.time() + patience.upload
    async with aclosing(request.stream()) as stream:
        while True:
            try:
                async with asyncio.timeout_at(min(deadline, clock.time() + patience.idle)):
                    chunk = await anext(stream, None)
            except TimeoutError as error:
                raise ClientTooSlow(headers={"Connection": "close"}) from error
            except ClientDisconnect as error:
                raise ClientGone from error
            if chunk is None:
                return
            yield chunk
