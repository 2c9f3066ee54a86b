"""The contract's value types: books that close, money that stays exact, times that sort."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
import uuid_utils.compat as uuids
from pydantic import TypeAdapter, ValidationError

from shared.schemas.base import Money, SellerId, Timestamp
from shared.schemas.feeds import Counts, ProcessingStatus, minted_at


def test_counts_whose_books_close_are_accepted() -> None:
    counts = Counts(rows_received=10, rows_accepted=4, rows_rejected=3, rows_duplicate=2, rows_skipped=1)
    assert counts.rows_received == 10


@pytest.mark.parametrize("field", ["rows_accepted", "rows_rejected", "rows_duplicate", "rows_skipped"])
def test_counts_that_lose_or_double_a_row_are_refused(field: str) -> None:
    books = {"rows_received": 4, "rows_accepted": 1, "rows_rejected": 1, "rows_duplicate": 1, "rows_skipped": 1}
    with pytest.raises(ValidationError, match="do not close"):
        Counts(**{**books, field: 0})
    with pytest.raises(ValidationError, match="do not close"):
        Counts(**{**books, field: 2})


@pytest.mark.parametrize(
    ("status", "terminal"),
    [("IN_QUEUE", False), ("IN_PROGRESS", False), ("DONE", True), ("FATAL", True), ("CANCELLED", True)],
)
def test_terminal_statuses(status: str, terminal: bool) -> None:
    assert ProcessingStatus(status).is_terminal is terminal


@pytest.mark.parametrize("text", ["0.0001", "12345678901234567890.1234", "1E+3", "-5.00"])
def test_money_is_a_json_string_with_its_exact_decimals(text: str) -> None:
    money = TypeAdapter(Money)
    written = money.dump_json(Decimal(text)).decode()
    assert written == f'"{Decimal(text):f}"'
    assert money.validate_json(written) == Decimal(text)


def test_timestamps_are_utc_and_sort_as_text() -> None:
    stamp = TypeAdapter(Timestamp)
    noon = datetime(2026, 3, 4, 12, tzinfo=UTC)
    in_delhi = noon.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert stamp.dump_json(in_delhi) == stamp.dump_json(noon) == b'"2026-03-04T12:00:00.000000Z"'
    assert stamp.dump_json(noon + timedelta(microseconds=1)) > stamp.dump_json(noon)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Timestamp).validate_python(datetime(2026, 3, 4))  # noqa: DTZ001 - the very thing refused


@pytest.mark.parametrize("name", ["acme", "Seller-1", "a.b_c", "0x"])
def test_seller_ids(name: str) -> None:
    assert TypeAdapter(SellerId).validate_python(name) == name


@pytest.mark.parametrize("name", ["", "-a", "a/b", "a b", "ä", "a" * 65, "a\n", "../x"])
def test_what_is_no_seller_id(name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(SellerId).validate_python(name)


def test_a_minted_id_tells_when_it_was_minted_and_no_other_id_does() -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=2)
    minted = minted_at(uuids.uuid7())
    assert minted is not None
    assert before <= minted <= datetime.now(UTC)
    assert minted_at(uuid4()) is None
    assert minted_at(UUID("ffffffff-ffff-7000-8000-000000000000")) is None
