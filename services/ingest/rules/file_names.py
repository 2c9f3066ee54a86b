"""A file's name on its way from the client to an object key: what was meant, what to show, what is safe."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from urllib.parse import quote, unquote_to_bytes

FALLBACK_NAME = "upload"
MAX_NAME_CHARACTERS = 255
MAX_METADATA_BYTES = 1_400
"""S3 takes 2 KB of user metadata; this leaves room for the other entries."""
MAX_KEY_BYTES = 1_024
MAX_SUFFIX_CHARACTERS = 20

_QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*"')
_EXTENDED = re.compile(rb";\s*filename\*\s*=\s*(utf-8|iso-8859-1)'[^']*'([^;\s]*)", re.IGNORECASE)
# "Characters to avoid" in https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
_AVOID = str.maketrans(dict.fromkeys('{}^%`[]"<>~#|', "_"))
_NOT_IN_A_NAME = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def offered_name(disposition: bytes, parameters: Mapping[bytes, bytes]) -> str | None:
    """The name a part's Content-Disposition gives its file; None if it gives none and so is a plain field.

    `filename*` (RFC 8187) wins over `filename` where it can be read, as RFC 6266 has it: it is the one that can
    say every name. A `filename` that is not UTF-8 is taken as Latin-1: a label may be guessed, a number may not.
    """
    extended = _EXTENDED.search(_QUOTED.sub(b'""', disposition))
    if extended:
        charset, encoded = extended.groups()
        try:
            return unquote_to_bytes(encoded).decode(charset.decode("ascii"))
        except UnicodeDecodeError:
            pass
    plain = parameters.get(b"filename")
    if plain is None:
        return "" if extended else None
    try:
        return plain.decode("utf-8")
    except UnicodeDecodeError:
        return plain.decode("latin-1")


def shown_name(offered: str) -> str:
    """The name as it is shown and kept: no path, no control characters, NFC, bounded, never empty."""
    last = re.split(r"[/\\]", offered)[-1]
    kept = "".join(sign for sign in last if unicodedata.category(sign) not in _NOT_IN_A_NAME)
    # U+FFFE and U+FFFF may not stand in the XML of an S3 listing.
    name = unicodedata.normalize("NFC", kept.replace("\ufffe", "").replace("\uffff", "")).strip()
    if not name.strip("."):
        return FALLBACK_NAME
    return _cut(name, lambda text: len(text) <= MAX_NAME_CHARACTERS and len(quote(text, safe="")) <= MAX_METADATA_BYTES)


def metadata_name(shown: str) -> str:
    """The shown name as S3 metadata carries it: ASCII, percent-encoded; `urllib.parse.unquote` gives it back."""
    return quote(shown, safe="")


def object_key(seller_id: str, feed_id: str, shown: str) -> str:
    """`{seller_id}/{feed_id}/{safe name}`, at most 1,024 bytes."""
    prefix = f"{seller_id}/{feed_id}/"
    room = MAX_KEY_BYTES - len(prefix.encode())
    return prefix + _cut(shown.translate(_AVOID), lambda text: len(text.encode()) <= room)


def _cut(name: str, fits: Callable[[str], bool]) -> str:
    """The longest form of `name` that fits; its suffix is kept, because readers go by it."""
    if fits(name):
        return name
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(suffix) > MAX_SUFFIX_CHARACTERS:
        stem, dot, suffix = name, "", ""
    shortest, longest = 0, len(stem)
    while shortest < longest:
        middle = (shortest + longest + 1) // 2
        if fits(stem[:middle] + dot + suffix):
            shortest = middle
        else:
            longest = middle - 1
    return stem[:shortest] + dot + suffix
