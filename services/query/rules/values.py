"""Names that a question may mean: products, categories, sellers and currencies that the store knows."""

from dataclasses import dataclass

from services.query.rules.plan import Dimension


@dataclass(frozen=True, slots=True)
class KnownValue:
    """A name as the store has it; for a product, its name or its id."""

    dimension: Dimension
    value: str


def same_name(one: str, other: str) -> bool:
    """Names are matched whole, whatever their case."""
    return one.lower() == other.lower()


def best_spelling(asked: str, known: list[str]) -> list[str]:
    """Of the known names that differ only in case: the one spelt as asked, if there is one, else all of them."""
    alike = sorted({name for name in known if same_name(name, asked)})
    return [asked] if asked in alike else alike
