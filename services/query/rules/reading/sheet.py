"""The interpreter's working sheet: a question's words, and which of them already have a meaning."""

from typing import Self

from services.query.rules.plan import Dimension
from services.query.rules.reading.words import Word, split_words


class Sheet:
    """Positions are word numbers from 0; ranges are [first, last). `names` have their kind and the store's spelling."""

    def __init__(self, question: str, words: list[Word]) -> None:
        self.question = question
        self.words = words
        self.assumptions: list[str] = []
        self.metric_starts: set[int] = set()
        self.order_metric_at: int | None = None
        self.period_words = range(0)
        self.names: list[tuple[int, int, Dimension, str]] = []
        self._claimed = [False] * len(words)
        self._names: set[int] = set()

    @classmethod
    def of(cls, question: str) -> Self:
        return cls(question, split_words(question))

    def free(self, at: int) -> str | None:
        """The word, if it has no meaning yet and is no quotation."""
        if not 0 <= at < len(self.words) or self._claimed[at] or self.words[at].quoted is not None:
            return None
        return self.words[at].plain

    def left_over(self) -> list[Word]:
        """The words without a meaning, quotations included."""
        return [word for word, claimed in zip(self.words, self._claimed, strict=True) if not claimed]

    def free_words(self) -> list[str | None]:
        """All words; None where one has a meaning or is quoted."""
        return [self.free(at) for at in range(len(self.words))]

    def phrase(self, first: int, last: int) -> str | None:
        """The words as one text, or None if one of them is not free."""
        words = [self.free(at) for at in range(first, last)]
        return None if None in words else " ".join(word for word in words if word is not None)

    def find(self, phrase: str) -> int | None:
        """Where the phrase first stands among free words."""
        length = len(phrase.split())
        return next((at for at in range(len(self.words)) if self.phrase(at, at + length) == phrase), None)

    def claim(self, first: int, last: int) -> str:
        """Give these words a meaning; their text as written."""
        for at in range(first, last):
            self._claimed[at] = True
        return self.question[self.words[first].start : self.words[last - 1].end]

    def claim_name(self, first: int, last: int) -> None:
        self.claim(first, last)
        self._names.update(range(first, last))

    def is_name(self, at: int) -> bool:
        return at in self._names

    def is_claimed(self, at: int) -> bool:
        return self._claimed[at]

    def skip(self, at: int, *words: str) -> int:
        """The next position whose word is none of these."""
        while self.free(at) in words:
            at += 1
        return at
