"""Where a MySQL or MariaDB server is, and as whom to connect: DATABASE_URL, read once for all drivers."""

import ssl
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class MySqlAddress:
    """Where and as whom to connect. `tls_ca` is the path of a CA file: given, TLS is required and verified."""

    host: str
    port: int
    user: str
    password: str
    database: str
    tls_ca: str | None = None

    @classmethod
    def parse(cls, url: str) -> "MySqlAddress":
        """Reads `mysql://user:password@host:port/database[?tls_ca=path]`; user and password percent-encoded.

        Raises ValueError, without repeating the password.
        """
        parts = urlsplit(url)
        if parts.scheme.partition("+")[0] not in ("mysql", "mariadb") or not parts.hostname or len(parts.path) < 2:
            raise ValueError("DATABASE_URL must look like mysql://user:password@host:port/database")
        options = parse_qs(parts.query, strict_parsing=bool(parts.query))
        if unknown := sorted(set(options) - {"tls_ca"}):
            raise ValueError(f"DATABASE_URL has unknown options: {', '.join(unknown)}")
        return cls(
            host=parts.hostname,
            port=parts.port or 3306,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            database=unquote(parts.path[1:]),
            tls_ca=options["tls_ca"][0] if "tls_ca" in options else None,
        )

    def __repr__(self) -> str:
        return f"MySqlAddress({self.user}@{self.host}:{self.port}/{self.database})"

    def tls(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=self.tls_ca) if self.tls_ca else None

    def url(self, scheme: str = "mysql") -> str:
        """The address as a URL of a driver's `scheme`, without options; it holds the password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        login = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        return f"{scheme}://{login}@{host}:{self.port}/{quote(self.database, safe='')}"
