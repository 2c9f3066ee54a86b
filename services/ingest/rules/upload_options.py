"""What the uploader says about a file: form fields or headers, checked, and never overruled in silence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from services.ingest.errors import InvalidField
from shared.schemas.base import SellerId
from shared.schemas.feed_options import FeedOptions
from shared.schemas.feeds import FeedType

FEED_OPTIONS = tuple(FeedOptions.model_fields)
"""Options about the reading and applying of the feed: validated by FeedOptions, and nowhere else."""

HEADERS = {option: f"X-{option.replace('_', '-').title()}" for option in ("seller_id", "feed_type", *FEED_OPTIONS)}
"""Every option, as a form field and as a header."""

_SELLER_ID: TypeAdapter[str] = TypeAdapter(SellerId)


@dataclass(frozen=True, slots=True)
class UploadOptions:
    """Whose the feed is, what its rows are about, and how it is to be read and applied."""

    seller_id: str
    feed_type: FeedType
    feed: FeedOptions = field(default_factory=FeedOptions)


class OfferedOptions:
    """Collects what was offered; `decided()` says what it comes to."""

    def __init__(self, headers: Mapping[str, Sequence[str]], default_seller_id: str) -> None:
        """`headers` holds every value of each header in HEADERS. Raises InvalidField if one is given twice."""
        self._default_seller_id = default_seller_id
        self._texts: dict[str, str] = {}
        self._meant: dict[str, object] = {}
        self._from_form: set[str] = set()
        for option, header in HEADERS.items():
            values = headers.get(header, ())
            if len(values) > 1:
                raise InvalidField(f"the header {header} is given {len(values)} times")
            if values and not values[0].isascii():
                # Clients differ in how they encode a header; a form field is UTF-8.
                raise InvalidField(f"the header {header} is not ASCII: send {option} as a form field")
            if values:
                self._keep(option, values[0].strip())

    def take(self, name: str, value: str) -> None:
        """One form field. Raises InvalidField for what is unknown, repeated, invalid, or not what a header says."""
        if name not in HEADERS:
            known = ", ".join(sorted(HEADERS))
            raise InvalidField(f"unknown field {name[:64]!r}", suggestions=[f"fields are: {known}"])
        if name in self._from_form:
            raise InvalidField(f"the field {name} is given twice")
        self._from_form.add(name)
        value = value.strip()
        in_header = self._meant.get(name)
        if self._keep(name, value) != in_header and in_header is not None:
            raise InvalidField(f"{name} is {value!r} in the form and differs from the header {HEADERS[name]}")

    def decided(self) -> UploadOptions:
        """Raises InvalidField where options that are fine each cannot be meant together."""
        try:
            feed = FeedOptions.from_texts({name: self._texts[name] for name in FEED_OPTIONS if name in self._texts})
        except ValueError as error:
            raise InvalidField(str(error)) from error
        return UploadOptions(
            seller_id=self._texts.get("seller_id", self._default_seller_id),
            feed_type=FeedType(self._texts.get("feed_type", FeedType.TRANSACTIONS)),
            feed=feed,
        )

    def _keep(self, option: str, text: str) -> object:
        """What `text` means: 'UTF-8' and 'utf8' are one character set, and 5 and 5.0 one percentage."""
        self._meant[option] = meant = _checked(option, text)
        self._texts[option] = text
        return meant


def _checked(option: str, value: str) -> object:
    if not value:
        # An empty variable in a script must not land a file with somebody else, nor read it some other way.
        raise InvalidField(f"{option} is empty: leave it out, or name one")
    if option in FEED_OPTIONS:
        return _checked_feed_option(option, value)
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


def _checked_feed_option(option: str, value: str) -> object:
    try:
        return getattr(FeedOptions.from_texts({option: value}), option)
    except ValueError as error:
        described = FeedOptions.model_fields[option]
        raise InvalidField(
            str(error),
            reason=described.description,
            suggestions=[f"{option}={example}" for example in described.examples or ()],
        ) from error
