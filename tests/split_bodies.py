"""An S3 client whose bodies come in pieces, as they do over a network: one read brings one piece of them."""

# ruff: noqa: N803 - the arguments are called as AWS calls them

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self


class SplitBody:
    """Brings the pieces one by one; with `stalls`, never an end."""

    def __init__(self, pieces: Sequence[bytes], *, stalls: bool = False) -> None:
        self._pieces = list(pieces)
        self._stalls = stalls
        self.closed = False

    async def read(self, amount: int) -> bytes:
        if not self._pieces:
            if self._stalls:
                await asyncio.Event().wait()
            return b""
        piece = self._pieces.pop(0)
        if rest := piece[amount:]:
            self._pieces.insert(0, rest)
        return piece[:amount]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed = True


class SplitAnswers:
    """As much of an S3Client as reads. `size_bytes`: what is announced, if that is not what comes."""

    def __init__(self, pieces: Sequence[bytes], size_bytes: int | None = None) -> None:
        self._pieces = pieces
        self._size_bytes = sum(map(len, pieces)) if size_bytes is None else size_bytes

    async def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        return {"ContentLength": self._size_bytes, "Body": SplitBody(self._pieces)}


def in_pieces(content: bytes) -> list[bytes]:
    """Three of them."""
    third = len(content) // 3
    return [content[:third], content[third : 2 * third], content[2 * third :]]
