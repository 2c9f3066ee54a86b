"""The same database, emptied before each test, as the integration tests have."""

from tests.integration.aggregator.conftest import pool, records

__all__ = ["pool", "records"]
