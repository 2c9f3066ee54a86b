"""What the uploader says about a file: form fields or headers, checked, and never overruled in silence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from services.ingest.errors import InvalidField
from shared.schemas.base import SellerId
from shared.schemas.feeds import FeedType

HEADERS = {"seller_id": "X-Seller-Id", "feed_type": "X-Feed-Type"}
"""Every option, as a form field and as a header."""

_SELLER_ID: TypeAdapter[str] = TypeAdapter(SellerId)


@dataclass(frozen=True, slots=True)
class UploadOptions:
    """Whose the feed is, and what its rows are about."""

    seller_id: str
    feed_type: FeedType


class OfferedOptions:
    """Collects what was offered; `decided()` says what it comes to."""

    def __init__(self, headers: Mapping[str, Sequence[str]], default_seller_id: str) -> None:
        """`headers` holds every value of each header in HEADERS. Raises InvalidField if one is given twice."""
        self._default_seller_id = default_seller_id
        self._values: dict[str, str] = {}
        self._from_form: set[str] = set()
        for option, header in HEADERS.items():
            values = headers.get(header, ())
            if len(values) > 1:
                raise InvalidField(f"the header {header} is given {len(values)} times")
            if values:
                self._values[option] = _checked(option, values[0].strip())

    def take(self, name: str, value: str) -> None:
        """One form field. Raises InvalidField for what is unknown, repeated, invalid, or not what a header says."""
        if name not in HEADERS:
            known = ", ".join(sorted(HEADERS))
            raise InvalidField(f"unknown field {name[:64]!r}", suggestions=[f"fields are: {known}"])
        if name in self._from_form:
            raise InvalidField(f"the field {name} is given twice")
        self._from_form.add(name)
        value = _checked(name, value.strip())
        if self._values.setdefault(name, value) != value:
            raise InvalidField(f"{name} is {value!r} in the form and {self._values[name]!r} in {HEADERS[name]}")

    def decided(self) -> UploadOptions:
        return UploadOptions(
            seller_id=self._values.get("seller_id", self._default_seller_id),
            feed_type=FeedType(self._values.get("feed_type", FeedType.TRANSACTIONS)),
        )


def _checked(option: str, value: str) -> str:
    if not value:
        # An empty variable in a script must not land a file with somebody else.
        raise InvalidField(f"{option} is empty: leave it out, or name one")
    if option == "feed_type":
        known = [str(feed_type) for feed_type in FeedType]
        if value not in known:
            raise InvalidField(f"there is no feed_type {value[:64]!r}", suggestions=known)
        return value
    try:
        return _SELLER_ID.validate_python(value)
    except ValidationError as error:
        raise InvalidField(
            f"seller_id {value[:64]!r} is not valid",
            reason="1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit",
        ) from error
