"""What S3 raises: the object is not there, or S3 is at fault."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError

from services.aggregator.errors import MissingObject, Outage
from shared.runtime.aws import AWS_OUTAGES

_GONE = frozenset({"404", "NoSuchKey", "NoSuchVersion", "NotFound", "412", "PreconditionFailed"})


@contextmanager
def s3_outages() -> Iterator[None]:
    """Turns what S3 calls raise into MissingObject, where they say so, else into an Outage."""
    try:
        yield
    except ClientError as error:
        # NoSuchBucket is no fault of the feed's: an outage.
        if error.response["Error"]["Code"] in _GONE:
            raise MissingObject(str(error)) from error
        raise Outage(f"the storage refuses: {error}") from error
    except AWS_OUTAGES as error:
        raise Outage(f"the storage does not answer: {error!r}") from error
