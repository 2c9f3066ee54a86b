"""Who asks for a change, and whose feeds are theirs to change (P6). Decided once per request, applied in the SQL."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """`actor` is what a feed's history names; `seller_id` None means every seller: an operator."""

    actor: str
    seller_id: str | None = None

    def may_see(self, seller_id: str) -> bool:
        return self.seller_id in (None, seller_id)


OPERATOR = Caller("operator")
