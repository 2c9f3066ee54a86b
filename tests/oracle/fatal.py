"""What makes a whole feed fail."""


class Fatal(Exception):
    """`offset`: of the first byte that is no text, where that is the reason."""

    def __init__(self, code: str, offset: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.offset = offset
