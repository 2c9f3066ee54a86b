"""Whose rows a caller may see (P6). Decided once per request, applied where the SQL is built."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Confinement:
    """`seller_id` None means every seller: the caller is an operator."""

    seller_id: str | None = None

    def hides(self, seller_id: str) -> bool:
        """Whether what belongs to `seller_id` must look as if it were not there."""
        return self.seller_id is not None and self.seller_id != seller_id


UNCONFINED = Confinement()
