"""A connection to the engine that runs out of memory when a test says so, below all that is ours."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from services.aggregator.adapters.duckdb_session import FeedSession, ParsedStatements

IsTooMuch = Callable[[str, Mapping[str, Any]], bool]


@dataclass
class _Forgetful:
    """For the first so many statements that are too much."""

    connection: duckdb.DuckDBPyConnection
    is_too_much: IsTooMuch
    times: int

    def execute(self, statement: duckdb.Statement, parameters: Mapping[str, Any]) -> duckdb.DuckDBPyConnection:
        if self.times and self.is_too_much(statement.query, parameters):
            self.times -= 1
            raise duckdb.OutOfMemoryException
        return self.connection.execute(statement, parameters)


def session_on(connection: duckdb.DuckDBPyConnection, is_too_much: IsTooMuch, times: int) -> FeedSession:
    """The real session, on a cursor of the connection."""
    forgetful: Any = _Forgetful(connection.cursor(), is_too_much, times)
    return FeedSession(forgetful, ParsedStatements(connection.cursor()))
