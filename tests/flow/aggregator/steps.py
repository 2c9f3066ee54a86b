"""What the stand-ins tell a test of: every call, before it does anything."""

from collections.abc import Callable

Step = Callable[[str], None]


def no_step(_: str) -> None:
    """What happens at a step unless a test says otherwise."""
