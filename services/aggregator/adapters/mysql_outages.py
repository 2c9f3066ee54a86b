"""What MySQL raises when it, and no feed, is at fault."""

from collections.abc import Iterator
from contextlib import contextmanager

from services.aggregator.errors import Outage
from shared.runtime.mysql_errors import OUTAGES


@contextmanager
def mysql_outages() -> Iterator[None]:
    """Turns what the pool raises when the server is at fault into an Outage."""
    try:
        yield
    except OUTAGES as error:
        raise Outage(f"the database does not answer: {error!r}") from error
