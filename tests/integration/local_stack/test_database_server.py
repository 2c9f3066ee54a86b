"""Databases and users on the server that the tests run against, whichever it is."""

import pymysql
import pytest

from deploy.local.database_server import DatabaseAccess, DatabaseServer, DatabaseUrl
from deploy.local.errors import DatabaseRefused
from deploy.local.foundations import DatabaseFoundation


def execute(url: DatabaseUrl, statement: str) -> list[tuple[object, ...]]:
    connection = pymysql.connect(
        host=url.host, port=url.port, user=url.user, password=url.password, database=url.database, autocommit=True
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())
    finally:
        connection.close()


@pytest.fixture
def administrator(database_foundation: DatabaseFoundation) -> None:
    if not database_foundation.may_administer:
        pytest.skip("DATABASE_URL's login may not create databases and users")


as_administrator = pytest.mark.usefixtures("administrator")


@as_administrator
def test_one_user_makes_and_fills_tables_and_the_other_only_reads(database: DatabaseAccess) -> None:
    execute(database.read_write, "CREATE TABLE readable (n INT PRIMARY KEY)")
    execute(database.read_write, "INSERT INTO readable VALUES (7)")

    assert execute(database.read_only, "SELECT n FROM readable") == [(7,)]
    for forbidden in ("INSERT INTO readable VALUES (8)", "DELETE FROM readable", "DROP TABLE readable"):
        with pytest.raises(pymysql.err.OperationalError, match="denied"):
            execute(database.read_only, forbidden)


@as_administrator
def test_neither_user_reaches_another_database(
    database: DatabaseAccess, database_foundation: DatabaseFoundation
) -> None:
    # Differs in one place only, which a wildcard in the grant would cover.
    neighbour = database.read_write.database.replace("_", "x", 1)
    server = database_foundation.server
    other = server.provision(neighbour)
    try:
        for url in (database.read_write, database.read_only):
            with pytest.raises(pymysql.err.OperationalError, match="denied"):
                execute(DatabaseUrl(url.user, url.password, url.host, url.port, other.read_write.database), "SELECT 1")
    finally:
        server.drop(neighbour)


@as_administrator
def test_provisioning_again_keeps_the_data_and_replaces_the_passwords(database_foundation: DatabaseFoundation) -> None:
    server, name = database_foundation.server, "sellersync_again"
    try:
        first = server.provision(name)
        execute(first.read_write, "CREATE TABLE kept (n INT PRIMARY KEY)")
        second = server.provision(name)
        assert execute(second.read_only, "SELECT COUNT(*) FROM kept") == [(0,)]
        assert not DatabaseServer(first.read_write).is_answering()
    finally:
        server.drop(name)


def test_an_address_survives_being_written_and_read() -> None:
    url = DatabaseUrl("a@b", "p:/?#[]@ß%", "db.example", 3307, "shop", "/etc/ssl/our ca.pem")
    assert DatabaseUrl.parse(str(url)) == url
    assert DatabaseUrl.parse("mysql+aiomysql://u@h/d") == DatabaseUrl("u", "", "h", 3306, "d")


@pytest.mark.parametrize("text", ["", "postgres://u:secret@h/d", "mysql://", "u:secret@h/d"])
def test_another_address_is_refused_without_showing_its_password(text: str) -> None:
    with pytest.raises(DatabaseRefused) as refused:
        DatabaseUrl.parse(text)
    assert "secret" not in str(refused.value)
