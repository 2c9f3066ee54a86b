"""Builds multipart/form-data bodies by hand, so that tests can also build wrong ones."""

from collections.abc import Iterator, Sequence

BOUNDARY = b"----sellersync7MA4YWxk"


def field(name: str, value: bytes | str) -> bytes:
    """A plain field as a part: headers, blank line, value."""
    value = value.encode() if isinstance(value, str) else value
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value


def file(content: bytes, disposition: str = 'form-data; name="file"; filename="sales.csv"') -> bytes:
    """A file part."""
    head = f"Content-Disposition: {disposition}\r\nContent-Type: text/csv\r\n\r\n"
    return head.encode() + content


def body(*parts: bytes, boundary: bytes = BOUNDARY) -> bytes:
    """A whole body."""
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"


def cut(whole: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    """`whole` in chunks of these sizes, over and over."""
    start = 0
    turn = 0
    while start < len(whole):
        size = sizes[turn % len(sizes)]
        yield whole[start : start + size]
        start += size
        turn += 1
