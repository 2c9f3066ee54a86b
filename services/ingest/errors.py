"""Why an upload is not accepted, one class per reason; the docstring is what the caller reads by default."""

from shared.runtime.problems import ProblemError, Unavailable


class UploadRefused(ProblemError):
    """The upload is not accepted."""


class NotMultipart(UploadRefused):
    """Send the file as multipart/form-data, in a part named `file`."""

    status = 415
    slug = "not-multipart"
    title = "The body is not multipart/form-data"


class BrokenMultipart(UploadRefused):
    """The multipart body does not follow RFC 7578."""

    status = 400
    slug = "broken-multipart"
    title = "The multipart body is broken"


class ClientGone(UploadRefused):
    """The client closed the connection before the body was complete; nothing was stored."""

    status = 400
    slug = "client-gone"
    title = "The body ended early"


class ClientTooSlow(UploadRefused):
    """The body did not arrive in time; nothing was stored."""

    status = 408
    slug = "body-timeout"
    title = "The body did not arrive in time"


class TooLarge(UploadRefused):
    """The file is larger than this service takes."""

    status = 413
    slug = "too-large"
    title = "The file is too large"


class InvalidField(UploadRefused):
    """A field of the upload cannot be meant."""

    status = 422
    slug = "invalid-field"
    title = "A field of the upload is not valid"


class LateField(UploadRefused):
    """Fields must precede a large file; nothing was stored."""

    status = 422
    slug = "late-field"
    title = "A field comes after the file"


class NoFile(UploadRefused):
    """The upload has no part named `file`."""

    status = 422
    slug = "no-file"
    title = "There is no file"


class EmptyFile(UploadRefused):
    """The file has no bytes."""

    status = 422
    slug = "empty-file"
    title = "The file is empty"


class SecondFile(UploadRefused):
    """One upload carries one file; nothing was stored."""

    status = 422
    slug = "second-file"
    title = "There is more than one file"


class Busy(UploadRefused, Unavailable):
    """As many uploads as this service holds at once are in work; try again."""

    slug = "busy"
    title = "Too many uploads at once"


class StoreUnavailable(UploadRefused, Unavailable):
    """The file store does not answer. Send the file again later: the same bytes count once."""

    slug = "store-unavailable"


class ReceiptNotWritten(UploadRefused, Unavailable):
    """The file is stored, but its receipt is not: send it again, the same bytes count once."""

    slug = "receipt-not-written"
