"""Feeds of thousands of rows, where the borders of blocks, batches and threads lie. Knows neither oracle nor reader."""

import random
from dataclasses import dataclass

_FAULTS = [
    *("", "  ", ",,,,,,,", "t1,S1", "t1,S1,Tee,1,2,2,EUR,2026-03-01,,x", '"t1"x,S1,Tee,1,2,2,EUR,2026-03-01'),
    *("t1,S1,Tee,x,2,2,EUR,2026-03-01", "t1,S1,Tee,1,2,2,XXQ,2026-03-01", "t1,S1,Tee,1,2,2,EUR,03/04/2026"),
    *("t1,S1,Tee,1,2,3,EUR,2026-03-01", "t1,S1,Tee,-1,2,2,EUR,2026-03-01", "t1,,,1,2,2,EUR,2026-03-01"),
    *(
        't1,S1,"T\n\nee",x,2,2,EUR,2026-03-01',
        't1,S1,"two\nlines\n",1,2,2,EUR,2026-03-01',
        "t1,S1,\x07,1,2,2,EUR,2026-03-01",
    ),
]


@dataclass(frozen=True)
class Large:
    """Most rows are fine; ids come again, near and far, with the same values and with others."""

    rows: int
    seed: int
    line_end: str = "\n"
    quoted: bool = False
    fault_every: int = 40

    def content(self) -> bytes:
        chosen = random.Random(self.seed)
        lines = ["transaction_id,sku,title,quantity,amount,revenue,currency,date"]
        for number in range(self.rows):
            if chosen.random() * self.fault_every < 1:
                lines.append(chosen.choice(_FAULTS))
            else:
                lines.append(self._row(chosen, number))
        return "\n".join([*lines, ""]).replace("\n", self.line_end).encode()

    def _row(self, chosen: random.Random, number: int) -> str:
        order = chosen.choice(["", f"t{number}", f"t{chosen.randrange(self.rows)}"])
        product = chosen.randrange(60)
        name = f'"Caf\u00e9 {product}, {"x" * chosen.randrange(30)}"' if self.quoted else f"Caf\u00e9 {product}"
        quantity = chosen.choice([1, 1, 1, 2, 3, -1])
        amount = f"{product + 1}.{chosen.choice(['25', '5', '0001'])}"
        day = f"2026-0{chosen.randrange(1, 4)}-{chosen.randrange(1, 29):02}"
        return ",".join([order, f"S{product}", name, str(quantity), amount, "", "EUR", day])
