"""A small server that speaks the chat/completions wire format, and says what the test tells it to."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

FORM: dict[str, Any] = {
    "outcome": "plan",
    "reason": None,
    "metrics": ["revenue"],
    "dimensions": [],
    "names": [],
    "period_start": None,
    "period_end": None,
    "period_phrase": None,
    "rank_by": None,
    "rank_direction": None,
    "rank_places": None,
    "rank_within": [],
}

Reply = Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]
"""From a request's body to a status and a body."""


def form(**filled: Any) -> Reply:
    """The model fills the form in like this."""
    return content(json.dumps(FORM | filled))


def content(text: str) -> Reply:
    return message({"role": "assistant", "content": text, "refusal": None})


def refusal(text: str) -> Reply:
    return message({"role": "assistant", "content": None, "refusal": text})


def message(spoken: dict[str, Any], finish_reason: str = "stop") -> Reply:
    def reply(request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return 200, {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_770_000_000,
            "model": request["model"],
            "choices": [{"index": 0, "message": spoken, "finish_reason": finish_reason, "logprobs": None}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }

    return reply


def failure(status: int) -> Reply:
    return lambda _: (status, {"error": {"message": "no", "type": "server_error", "code": None, "param": None}})


@dataclass
class ChatServer:
    """`reply` None: the server takes the request and never answers. `requests` keeps what it was sent."""

    base_url: str = ""
    reply: Reply | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await self._request(reader):
                self.requests.append(request)
                if self.reply is None:
                    await reader.read()  # until the client gives up
                    return
                status, body = self.reply(request)
                text = json.dumps(body).encode()
                head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n"
                writer.write(head.encode() + text)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader) -> dict[str, Any] | None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert head.startswith("POST /v1/chat/completions "), head
        headers = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:] if line)
        self.keys.append(headers["authorization"])
        body: dict[str, Any] = json.loads(await reader.readexactly(int(headers["content-length"])))
        return body


@asynccontextmanager
async def chat_server() -> AsyncIterator[ChatServer]:
    spoken = ChatServer()
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        await spoken.serve(reader, writer)
        connections.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    spoken.base_url = f"http://{host}:{port}/v1"
    try:
        yield spoken
    finally:
        server.close()
        if connections:
            await asyncio.wait(connections, timeout=5)  # the client has closed them
