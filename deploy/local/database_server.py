"""Databases and users on a MySQL or MariaDB server, through an administrator's address."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pymysql
from pymysql.cursors import Cursor

from deploy.local.errors import DatabaseRefused

CONNECT_TIMEOUT_SECONDS = 5
STATEMENT_TIMEOUT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """`mysql://user:password@host:port/database[?tls_ca=path]`, as DATABASE_URL has it."""

    user: str
    password: str
    host: str
    port: int
    database: str = ""
    tls_ca: str | None = None

    @classmethod
    def parse(cls, text: str) -> "DatabaseUrl":
        """Accepts `mysql://` and `mysql+driver://`. Raises DatabaseRefused without repeating the password."""
        parts = urlsplit(text)
        if parts.scheme.partition("+")[0] not in ("mysql", "mariadb") or not parts.hostname:
            raise DatabaseRefused("DATABASE_URL must look like mysql://user:password@host:port/database")
        return cls(
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            host=parts.hostname,
            port=parts.port or 3306,
            database=unquote(parts.path.lstrip("/")),
            tls_ca=next(iter(parse_qs(parts.query).get("tls_ca", [])), None),
        )

    def __str__(self) -> str:
        login = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        options = f"?tls_ca={quote(self.tls_ca)}" if self.tls_ca else ""
        return f"mysql://{login}@{self.host}:{self.port}/{quote(self.database, safe='')}{options}"

    @property
    def without_password(self) -> str:
        return f"mysql://{self.user}@{self.host}:{self.port}/{self.database}"


@dataclass(frozen=True, slots=True)
class DatabaseAccess:
    """The two addresses the services get: the aggregator's, and the query service's, which can only SELECT."""

    read_write: DatabaseUrl
    read_only: DatabaseUrl


class DatabaseServer:
    """Creates and drops databases with their two users, if its login may, which `may_administer` tells."""

    def __init__(self, url: DatabaseUrl) -> None:
        self.url = url

    def is_answering(self) -> bool:
        try:
            with self._cursor():
                return True
        except pymysql.MySQLError:
            return False

    def require_answering(self, timeout_seconds: float) -> None:
        """Wait for the server. Raises DatabaseRefused with the last reason."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            try:
                with self._cursor():
                    return
            except pymysql.MySQLError as error:
                if time.monotonic() > deadline:
                    raise DatabaseRefused(f"{self.url.without_password} cannot be used: {error}") from error
            time.sleep(0.2)

    def may_administer(self) -> bool:
        """Whether this login may create databases and users; tried out, because grants can be nested in roles."""
        name = f"sellersync_probe_{secrets.token_hex(4)}"
        try:
            self.provision(name)
        except pymysql.MySQLError:
            may = False
        else:
            may = True
        with suppress(pymysql.MySQLError):  # what could not be created cannot be dropped either
            self.drop(name)
        return may

    def provision(self, database: str, passwords: tuple[str, str] | None = None) -> DatabaseAccess:
        """Create the database if it is absent, and its two users.

        `passwords`: the read-write and the read-only user's, where both sides were told beforehand; else new ones.
        """
        users = dict(zip(_users(database), ("ALL PRIVILEGES", "SELECT"), strict=True))
        urls: list[DatabaseUrl] = []
        # In GRANT, _ and % are wildcards even between backticks.
        granted = database.replace("_", "\\_").replace("%", "\\%")
        with self._cursor() as cursor:
            cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{database}` CHARACTER SET utf8mb4")
            for (user, rights), password in zip(users.items(), passwords or _new_passwords(), strict=True):
                cursor.execute(f"CREATE USER IF NOT EXISTS '{user}'@'%%' IDENTIFIED BY %s", (password,))
                cursor.execute(f"ALTER USER '{user}'@'%%' IDENTIFIED BY %s", (password,))
                cursor.execute(f"GRANT {rights} ON `{granted}`.* TO '{user}'@'%'")
                urls.append(replace(self.url, user=user, password=password, database=database))
        return DatabaseAccess(read_write=urls[0], read_only=urls[1])

    def drop(self, database: str) -> None:
        """Remove the database and its two users; quiet if they do not exist."""
        with self._cursor() as cursor:
            for user in _users(database):
                cursor.execute(f"DROP USER IF EXISTS '{user}'@'%'")
            cursor.execute(f"DROP DATABASE IF EXISTS `{database}`")

    def tables(self) -> list[str]:
        """The tables of the database that the address names."""
        with self._cursor(self.url.database) as cursor:
            cursor.execute("SHOW TABLES")
            return [str(row[0]) for row in cursor.fetchall()]

    def drop_tables(self) -> None:
        """Empty the database that the address names. Only for databases that were empty when they were handed over."""
        tables = self.tables()
        with self._cursor(self.url.database) as cursor:
            cursor.execute("SET FOREIGN_KEY_CHECKS = 0")
            for table in tables:
                cursor.execute(f"DROP TABLE IF EXISTS `{table}`")

    @contextmanager
    def _cursor(self, database: str | None = None) -> Iterator[Cursor]:
        connection = pymysql.connect(
            host=self.url.host,
            port=self.url.port,
            user=self.url.user,
            password=self.url.password,
            database=database,
            autocommit=True,
            ssl_ca=self.url.tls_ca,
            ssl_verify_identity=self.url.tls_ca is not None,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=STATEMENT_TIMEOUT_SECONDS,
            write_timeout=STATEMENT_TIMEOUT_SECONDS,
        )
        try:
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()


def _new_passwords() -> tuple[str, str]:
    # The suffix satisfies servers that ask for a capital, a digit and a sign.
    return f"{secrets.token_urlsafe(18)}.aA1", f"{secrets.token_urlsafe(18)}.aA1"


def _users(database: str) -> tuple[str, str]:
    """The read-write and the read-only user's names; MySQL takes 32 characters."""
    return f"{database[:29]}_rw", f"{database[:29]}_ro"
