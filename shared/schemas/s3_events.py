"""S3 event notifications as AWS documents them and as the emulators vary them.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
Keys arrive URL-encoded like a form value (space as `+`); some emulators leave out `versionId` and `sequencer`.
"""

from typing import Self
from urllib.parse import unquote_plus

from pydantic import Field, field_validator, model_validator

from shared.schemas.base import Foreign, Timestamp

KEY_BYTES = 1_024


class S3Bucket(Foreign):
    """S3's rules for names; an event that breaks them names no bucket that any later try could find."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")


class S3Object(Foreign):
    """`key` is as S3 sent it (URL-encoded); `decoded_key` is the object's name, 1 to 1,024 bytes of UTF-8."""

    key: str = Field(min_length=1, max_length=4_096)
    size: int | None = None
    etag: str | None = Field(default=None, alias="eTag", pattern=r"^[!-~]{1,128}$")
    version_id: str | None = Field(default=None, alias="versionId", pattern=r"^[!-~]{1,255}$")
    sequencer: str | None = None

    @property
    def decoded_key(self) -> str:
        return unquote_plus(self.key)

    @field_validator("key")
    @classmethod
    def _is_a_key(cls, key: str) -> str:
        if len(unquote_plus(key, errors="surrogateescape").encode("utf-8", "surrogateescape")) > KEY_BYTES:
            raise ValueError(f"a key has at most {KEY_BYTES} bytes")
        return key


class S3Entity(Foreign):
    bucket: S3Bucket
    object: S3Object


class S3Record(Foreign):
    event_name: str = Field(alias="eventName")
    event_time: Timestamp = Field(alias="eventTime")
    s3: S3Entity

    @property
    def is_object_created(self) -> bool:
        return self.event_name.removeprefix("s3:").startswith("ObjectCreated:")


class S3Notification(Foreign):
    """One SQS message from S3: records, or the test event S3 sends when the notification is set up."""

    records: list[S3Record] = Field(default_factory=list, alias="Records")
    event: str | None = Field(default=None, alias="Event")

    @property
    def is_test(self) -> bool:
        return self.event == "s3:TestEvent"

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.records and not self.is_test:
            raise ValueError("neither records nor a test event")
        return self
