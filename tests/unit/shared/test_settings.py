"""Settings: a fault in one is told without the others, because one of them is a password."""

import pytest
from pydantic import ValidationError

from services.aggregator.settings import AggregatorSettings, MigrationSettings
from services.query.settings import QuerySettings
from shared.runtime.settings import ServiceSettings

URL = "mysql://user:s3cret@db.example/sales"


@pytest.mark.parametrize("settings", [AggregatorSettings, QuerySettings])
def test_a_missing_setting_is_told_without_those_that_are_there(
    settings: type[ServiceSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    with pytest.raises(ValidationError, match="Field required") as fault:
        settings()
    # Not the password alone: pydantic cuts long values in the middle, wherever that is.
    assert "mysql:" not in str(fault.value)


def test_a_password_is_not_shown_with_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    assert "s3cret" not in repr(MigrationSettings())


def test_the_default_seller_must_be_one_that_a_feed_can_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFAULT_SELLER_ID", "no seller!")
    with pytest.raises(ValidationError):
        ServiceSettings()
