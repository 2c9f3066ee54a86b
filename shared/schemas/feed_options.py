"""What an uploader may say about how a feed is to be read and applied: the same words at every door."""

import codecs
import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, Self
from urllib.parse import quote, unquote
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, ValidationError, model_validator

from shared.schemas.base import Contract


class OnError(StrEnum):
    """What a rejected row means for its feed."""

    CONTINUE = "continue"
    SKIP_FILE = "skip_file"


DATE_DIRECTIVES = frozenset("YymdbBHIMSfpz")
"""strptime directives that a date_format may use; year, month and day must be among them, each once."""


def _known_charset(name: str) -> str:
    try:
        codec = codecs.lookup(name)
    except (LookupError, UnicodeError) as error:
        raise ValueError(f"{name!r} is no character set that is known") from error
    # Codecs between bytes and bytes, such as base64, are no character sets.
    if not getattr(codec, "_is_text_encoding", True) or codec.name in ("idna", "punycode", "undefined"):
        raise ValueError(f"{name!r} is no character set of text files")
    return codec.name


def _whole_date(form: str) -> str:
    directives = re.findall(r"%(.?)", form.replace("%%", ""))
    unknown = sorted({f"%{directive}" for directive in directives if directive not in DATE_DIRECTIVES})
    if unknown:
        known = " ".join(f"%{directive}" for directive in sorted(DATE_DIRECTIVES))
        raise ValueError(f"{', '.join(unknown)} is not read in a date_format; known are {known}")
    if len(directives) != len(set(directives)):
        raise ValueError("a date_format names each part once")
    for part, wanted in (("year", "Yy"), ("month", "mbB"), ("day", "d")):
        if sum(directive in wanted for directive in directives) != 1:
            raise ValueError(f"a date_format needs exactly one {part}, such as in %d/%m/%Y")
    return form


class FeedOptions(Contract):
    """Options of one feed. The defaults are what a feed without options is read with."""

    charset: Annotated[str, StringConstraints(min_length=1, max_length=40), AfterValidator(_known_charset)] | None = (
        Field(
            default=None,
            description="The character set of a text file without a byte order mark; UTF-8 if absent.",
            examples=["windows-1252", "iso-8859-15", "shift_jis"],
        )
    )
    date_format: Annotated[str, StringConstraints(max_length=64), AfterValidator(_whole_date)] | None = Field(
        default=None,
        description="strptime directives; then this form of date and no other is read.",
        examples=["%d/%m/%Y", "%m/%d/%Y %H:%M"],
    )
    decimal_separator: Literal[".", ","] = Field(
        default=".",
        description="With a comma, 1,5 is one and a half and 1.234 is one thousand and some.",
        examples=[","],
    )
    sheet: Annotated[str, StringConstraints(min_length=1, max_length=31)] | None = Field(
        default=None, description="The workbook's sheet to read; the first if absent.", examples=["Sales 2026"]
    )
    on_error: OnError = Field(
        default=OnError.CONTINUE,
        description="skip_file: any rejected row makes the whole feed FATAL.",
        examples=["skip_file"],
    )
    max_rejected_percent: Annotated[Decimal, Field(ge=0, le=100, max_digits=7, decimal_places=4)] | None = Field(
        default=None, description="The feed is FATAL if a larger share of its rows is rejected.", examples=[2.5]
    )
    replaces: UUID | None = Field(
        default=None,
        description="The feed whose contribution this one takes the place of.",
        examples=["0195608f-3c1a-7000-8000-000000000001"],
    )
    corrects: UUID | None = Field(
        default=None,
        description="The feed whose rejected rows this one sends again, fixed.",
        examples=["0195608f-3c1a-7000-8000-000000000001"],
    )

    @model_validator(mode="after")
    def _one_relation(self) -> Self:
        if self.replaces and self.corrects:
            raise ValueError("a feed either replaces another or corrects it")
        return self

    @classmethod
    def from_texts(cls, given: Mapping[str, str]) -> Self:
        """Reads options from form fields (`date_format`) or the like. Raises ValueError with a sentence for people."""
        try:
            # Lax: every value is text here.
            return cls.model_validate(given, strict=False)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            message = str(first["msg"]).removeprefix("Value error, ")
            raise ValueError(f"{name}: {message}" if name else message) from error

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self:
        """Reads them from an object's metadata, which may hold other things too. Raises ValueError as above."""
        named = {name.lower().replace("-", "_"): value for name, value in metadata.items()}
        return cls.from_texts({name: unquote(value) for name, value in named.items() if name in cls.model_fields})

    def written_like(self, other: "FeedOptions") -> Self:
        """With dates and decimals read as those of another feed, where nothing was said about them."""
        like = {name: getattr(other, name) for name in ("date_format", "decimal_separator")}
        return self.model_copy(
            update={name: value for name, value in like.items() if name not in self.model_fields_set}
        )

    def to_metadata(self) -> dict[str, str]:
        """What was said, as S3 metadata: ASCII, percent-encoded, names with hyphens."""
        given = self.model_dump(mode="json", exclude_unset=True, exclude_none=True)
        return {name.replace("_", "-"): quote(str(value), safe=" /:;,") for name, value in given.items()}
