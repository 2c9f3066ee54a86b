"""What one record looks like in a feed's bytes: patterns for whole records, and how one that is cut off goes on."""

import re


class RecordGrammar:
    """Patterns over UTF-8 with plain newlines, for one delimiter; each matches from a record's beginning.

    A quote opens a quoted cell only as the cell's first character after blanks. Every pattern takes time that is
    linear in the text and gives nothing back.
    """

    def __init__(self, delimiter: str) -> None:
        d = re.escape(delimiter.encode())
        plain = b'(?! *+")[^%s\n]*+' % d
        one_line = b'(?> *+"(?>[^"\n]++|"")*+" *+|%s)' % plain
        strict = b'(?> *+"(?>[^"]++|"")*+" *+|%s)' % plain
        lenient = b'(?> *+"(?>[^"]++|"")*+"[^%s\n]*+|%s)' % (d, plain)
        self.one_line_records = re.compile(b'(?>[^"\n]*+\n|%s(?>%s%s)*+\n)*+' % (one_line, d, one_line))
        """Any number of well-formed records of one line each."""
        self.well_formed = re.compile(b"%s(?>%s%s)*+\n" % (strict, d, strict))
        self.ended = re.compile(b"%s(?>%s%s)*+\n" % (lenient, d, lenient))
        """A record whose quotes are closed, though text may follow them."""
        self._whole_cells = re.compile(b"(?>%s%s)*+" % (lenient, d))
        self._quoted = re.compile(b' *+"(?>[^"]++|"")*+')

    def gist(self, text: bytes) -> bytes:
        """At most three bytes that any text continues as it would continue `text`, the beginning of a record.

        A single quote if a quote is open at its end.
        """
        cells = self._whole_cells.match(text)
        at = cells.end() if cells else 0
        quoted = self._quoted.match(text, at)
        if quoted is None:
            return b"x" if text[at:].strip(b" ") else b""
        # A quote at the very end may close the cell, or be the first half of one that is written twice.
        beyond = len(text) - quoted.end()
        return b'"' if beyond == 0 else b'""' if beyond == 1 else b'""x'
