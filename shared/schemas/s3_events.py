"""S3 event notifications as AWS documents them and as the emulators vary them.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
Keys arrive URL-encoded like a form value (space as `+`); some emulators leave out `versionId` and `sequencer`.
"""

from typing import Self
from urllib.parse import unquote_plus

from pydantic import Field, model_validator

from shared.schemas.base import Foreign, Timestamp


class S3Bucket(Foreign):
    name: str


class S3Object(Foreign):
    """`key` is as S3 sent it (URL-encoded); `decoded_key` is the object's name."""

    key: str
    size: int | None = None
    etag: str | None = Field(default=None, alias="eTag")
    version_id: str | None = Field(default=None, alias="versionId")
    sequencer: str | None = None

    @property
    def decoded_key(self) -> str:
        return unquote_plus(self.key)


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
