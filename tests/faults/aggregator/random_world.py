"""A small world drawn from a seed: sellers, the files that they hand in, what S3 tells of them, what operators ask."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Literal
from urllib.parse import quote_plus
from uuid import UUID

from services.aggregator.rules.feed_identity import ObjectRef, dropped_feed_id
from shared.schemas.feeds import FeedType, Receipt
from tests.faults.aggregator.memory_s3 import Buckets, StoredObject
from tests.flow.aggregator.memory_buckets import STORED_AT

NAMES = ("shirt", "sock", "cap", "scarf")
GARBAGE = '{"Records": [{"eventName": "ObjectCreated:Put"}]}'

ReaderKind = Literal["lines", "engine"]


@dataclass(frozen=True)
class Content:
    """A file's rows: accepted ones by product, and rows that no reader takes. Not `readable`: no feed at all."""

    groups: tuple[tuple[str, int], ...]
    rejected: int = 0
    readable: bool = True

    @property
    def accepted(self) -> int:
        return sum(rows for _, rows in self.groups)

    def as_bytes(self, reader: ReaderKind) -> bytes:
        """Both readers make the same of it: two units for 1.10 in every row."""
        if not self.readable:
            return b"%PDF-1.7 no rows"
        if reader == "lines":
            lines = [f"{name},{rows}" for name, rows in self.groups] + ["hat"] * self.rejected
        else:
            lines = [f"{name},2,1.10,2.20" for name, rows in self.groups for _ in range(rows)]
            lines += ["hat,x,1,1"] * self.rejected
        return "".join(f"{line}\n" for line in lines).encode()


@dataclass(frozen=True)
class Handed:
    """A file as it was handed in. `order`: of its object among all. `minted`: through ingest, else dropped."""

    order: int
    feed_id: UUID
    seller: str
    ref: ObjectRef
    content: Content
    minted: bool
    options: dict[str, str]

    @property
    def relation(self) -> tuple[str, UUID] | None:
        for verb in ("replaces", "corrects"):
            if verb in self.options:
                return verb, UUID(self.options[verb])
        return None


@dataclass(frozen=True)
class Asked:
    """What an operator asks for. `overrides` are those of a reprocessing."""

    verb: Literal["withdraw", "cancel", "reprocess"]
    feed_id: UUID
    overrides: dict[str, str | None] = field(default_factory=dict)


@dataclass
class World:
    seed: str
    reader: ReaderKind
    sellers: list[str]
    feeds: list[Handed]
    messages: list[str]
    asked: list[Asked]
    buckets: Buckets

    def of(self, seller: str) -> list[Handed]:
        return [feed for feed in self.feeds if feed.seller == seller]


class WorldMaker:
    def __init__(self, seed: str, reader: ReaderKind) -> None:
        self._seed = seed
        self._rng = Random(f"world of {seed}")
        self._reader: ReaderKind = reader
        self._buckets = Buckets()
        self._feeds: list[Handed] = []
        self._sequenced = self._rng.random() < 0.5
        self._minutes = self._rng.choice([0, 1])
        """Between two objects: with none, only the bucket's list of versions tells their order."""

    def make(self) -> World:
        rng = self._rng
        sellers = [f"{self._seed}-{number}" for number in range(rng.choice([1, 1, 1, 2, 2, 3]))]
        for order in range(rng.randint(2, 6)):
            self._feeds.append(self._hand_in(order, rng.choice(sellers)))
        asked = [self._ask() for _ in range(rng.choice([0, 1, 1, 2, 2, 3]))]
        return World(self._seed, self._reader, sellers, self._feeds, self._messages(), asked, self._buckets)

    def _hand_in(self, order: int, seller: str) -> Handed:
        rng = self._rng
        before = [feed for feed in self._feeds if feed.seller == seller]
        dropped = [feed for feed in before if not feed.minted]
        content = rng.choice(before).content if before and rng.random() < 0.25 else self._content()
        options: dict[str, str] = {}
        if before and rng.random() < 0.4:
            options[rng.choice(["replaces", "replaces", "corrects"])] = str(rng.choice(before).feed_id)
        if rng.random() < 0.15:
            options["on_error"] = "skip_file"
        minted = rng.random() < 0.5
        if minted:
            feed_id = self._mint(order)
            key = f"{seller}/{feed_id}/file.csv"
        else:
            key = rng.choice(dropped).ref.key if dropped and rng.random() < 0.6 else f"{seller}/stock {order}.csv"
        metadata = {name.replace("_", "-"): value for name, value in options.items()}
        if minted:
            metadata |= {"feed-id": str(feed_id), "feed-type": "transactions", "file-name": "file.csv"}
        item = StoredObject(
            key,
            f"v{order}",
            content.as_bytes(self._reader),
            STORED_AT + timedelta(minutes=order * self._minutes),
            metadata,
        )
        self._buckets.uploads.append(item)
        ref = ObjectRef("uploads", key, item.version, item.etag, f"{order:08X}" if self._sequenced else None)
        if not minted:
            feed_id = dropped_feed_id(ref)
        handed = Handed(order, feed_id, seller, ref, content, minted, options)
        if minted:
            self._keep_receipt(handed, item)
        return handed

    def _content(self) -> Content:
        rng = self._rng
        if rng.random() < 0.12:
            return Content((), readable=False)
        names = sorted(rng.sample(NAMES, rng.randint(1, 3)))
        return Content(tuple((name, rng.randint(1, 9)) for name in names), rng.choice([0, 0, 1, 2]))

    def _mint(self, order: int) -> UUID:
        milliseconds = int((STORED_AT + timedelta(minutes=order * self._minutes)).timestamp() * 1000)
        return UUID(
            int=milliseconds << 80 | 7 << 76 | self._rng.getrandbits(12) << 64 | 2 << 62 | self._rng.getrandbits(62)
        )

    def _keep_receipt(self, feed: Handed, item: StoredObject) -> None:
        receipt = Receipt(
            feed_id=feed.feed_id,
            seller_id=feed.seller,
            feed_type=FeedType.TRANSACTIONS,
            file_name="file.csv",
            bucket="uploads",
            object_key=item.key,
            size_bytes=len(item.content),
            sha256=hashlib.sha256(item.content).hexdigest(),
            correlation_id=str(feed.feed_id),
            received_at=item.stored_at,
        )
        self._buckets.others["receipts", f"{feed.feed_id}.json"] = receipt.model_dump_json(
            exclude_defaults=True
        ).encode()

    def _ask(self) -> Asked:
        rng = self._rng
        feed_id = rng.choice(self._feeds).feed_id
        verb = rng.choice(["withdraw", "cancel", "reprocess", "reprocess"])
        if verb == "withdraw":
            return Asked("withdraw", feed_id)
        if verb == "cancel":
            return Asked("cancel", feed_id)
        return Asked("reprocess", feed_id, rng.choice([{}, {"on_error": "skip_file"}, {"on_error": None}]))

    def _messages(self) -> list[str]:
        """At least one for each object, some with several, some repeated, in any order."""
        rng = self._rng
        told = [feed.ref for feed in self._feeds]
        told += [feed.ref for feed in self._feeds if rng.random() < 0.3]
        rng.shuffle(told)
        messages = []
        while told:
            size = 2 if rng.random() < 0.15 else 1
            messages.append(event_about(*told[:size]))
            told = told[size:]
        if rng.random() < 0.15:
            messages.append(GARBAGE)
        rng.shuffle(messages)
        return messages


def event_about(*refs: ObjectRef) -> str:
    records = []
    for ref in refs:
        item = {"key": quote_plus(ref.key, safe="/"), "versionId": ref.version_id, "eTag": ref.etag, "size": 1}
        if ref.sequencer:
            item["sequencer"] = ref.sequencer
        records.append(
            {
                "eventName": "ObjectCreated:Put",
                "eventTime": "2026-11-22T12:00:00.000Z",
                "s3": {"bucket": {"name": ref.bucket}, "object": item},
            }
        )
    return json.dumps({"Records": records})
