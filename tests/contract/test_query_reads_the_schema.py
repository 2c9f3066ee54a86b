"""What the query service declares of the tables is what the aggregator's migration creates."""

from typing import Any

import pymysql
import pytest
import sqlalchemy as sa

from services.query.adapters.mysql_tables import READ_TABLES
from shared.runtime.mysql_address import MySqlAddress

# MariaDB's JSON is LONGTEXT; both kinds of server hand out its text.
STORED_AS: dict[type[sa.types.TypeEngine[Any]], set[str]] = {
    sa.String: {"varchar", "char"},
    sa.Text: {"text", "mediumtext", "longtext", "json"},
    sa.BigInteger: {"bigint"},
    sa.Integer: {"int"},
    sa.SmallInteger: {"tinyint"},
    sa.Date: {"date"},
    sa.DateTime: {"datetime"},
    sa.LargeBinary: {"binary"},
    sa.Numeric: {"decimal"},
}
INDEXES_NAMED = {("contributions", "by_day"), ("contributions", "by_seller_and_day")}
# Without these, every page of feeds, every answer and every history would read a whole table.
INDEXES_NEEDED = {("feeds", "by_corrects"), ("feed_history", "by_feed")}


@pytest.fixture(scope="module")
def schema(migrated_database_url: str) -> dict[str, list[tuple[object, ...]]]:
    address = MySqlAddress.parse(migrated_database_url)
    connection = pymysql.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        database=address.database,
    )
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, data_type, character_maximum_length, numeric_precision, numeric_scale,"
            " datetime_precision FROM information_schema.columns WHERE table_schema = DATABASE()"
        )
        columns = list(cursor.fetchall())
        cursor.execute(
            "SELECT DISTINCT table_name, index_name FROM information_schema.statistics WHERE table_schema = DATABASE()"
        )
        return {"columns": columns, "indexes": list(cursor.fetchall())}


def _declared() -> list[sa.Column[Any]]:
    return [column for table in READ_TABLES for column in table.c]


@pytest.mark.parametrize("column", _declared(), ids=str)
def test_every_column_that_is_read_exists_with_a_type_that_fits(
    column: sa.Column[Any], schema: dict[str, list[tuple[object, ...]]]
) -> None:
    [found] = [row for row in schema["columns"] if (row[0], row[1]) == (column.table.name, column.name)]
    _, _, kind, length, precision, scale, fraction = found
    assert kind in STORED_AS[type(column.type)], found
    match column.type:
        case sa.Numeric():
            assert (precision, scale) == (column.type.precision, column.type.scale)
        case sa.LargeBinary() | sa.String() if not isinstance(column.type, sa.Text):
            assert length == column.type.length
        case sa.DateTime():
            assert fraction == 6


def test_every_index_that_a_statement_names_or_needs_exists(schema: dict[str, list[tuple[object, ...]]]) -> None:
    assert {(str(table), str(index)) for table, index in schema["indexes"]} >= INDEXES_NAMED | INDEXES_NEEDED
