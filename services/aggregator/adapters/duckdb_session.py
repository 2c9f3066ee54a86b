"""One feed's connection to the engine: its own temporary tables, statements parsed once for all feeds."""

import threading
from typing import Any

import duckdb

from services.aggregator.errors import EngineFull, Outage


class ParsedStatements:
    """Parses each statement once: it takes DuckDB longer than all else that it does for a small feed."""

    _LIMIT = 256

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._parsed: dict[str, duckdb.Statement] = {}

    def __call__(self, sql: str) -> duckdb.Statement:
        with self._lock:
            if sql not in self._parsed:
                if len(self._parsed) >= self._LIMIT:
                    self._parsed.clear()
                [self._parsed[sql]] = self._connection.extract_statements(sql)
            return self._parsed[sql]

    def close(self) -> None:
        """Lets go of the statements and of the engine."""
        with self._lock:
            self._parsed.clear()
            self._connection.close()


class FeedSession:
    """Safe to use from several threads, one statement at a time."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, statements: ParsedStatements) -> None:
        self._connection = connection
        self._statements = statements
        self._lock = threading.Lock()
        self._closed = False
        self._tables: set[str] = set()

    def fetch(self, sql: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Runs a statement; all of its rows. Raises Outage where the local disk is at fault, EngineFull for memory.

        That can be told from the exception's class: in a text's content DuckDB finds neither of the two.
        """
        try:
            with self._lock:
                return self._connection.execute(self._statements(sql), parameters or {}).fetchall()
        except duckdb.OutOfMemoryException as error:
            raise EngineFull(f"the memory does not suffice: {_first_line(error)}") from error
        except duckdb.IOException as error:
            raise Outage(f"the local disk does not suffice: {_first_line(error)}") from error

    def think_less(self) -> None:
        """Statements are run as they are written: for few rows that costs less than finding a better way."""
        self.fetch("PRAGMA disable_optimizer")

    def count(self, sql: str, parameters: dict[str, Any] | None = None) -> int:
        """The one number that a statement answers with."""
        [(number,)] = self.fetch(sql, parameters)
        return int(number or 0)

    def create(self, table: str, rows: str, parameters: dict[str, Any] | None = None) -> None:
        """A temporary table from a query."""
        self.fetch(f"CREATE TEMP TABLE {table} AS {rows}", parameters)
        self._tables.add(table)

    def has(self, table: str) -> bool:
        return table in self._tables

    def drop(self, *tables: str) -> None:
        """Those of them that were created."""
        for table in self._tables.intersection(tables):
            self.fetch(f"DROP TABLE {table}")
        self._tables.difference_update(tables)

    def close(self) -> None:
        """Frees the tables. Safe to call twice."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._connection.close()


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
