"""Every rule that a row is held to: one table, in the order in which a row's issues are told.

`when` is an SQL predicate over the parsed row, true where the rule is broken. Its words:

- `quantity_text`, `amount_text` …: the trimmed cell, '' where it is blank or the feed has no such column
- `quantity`, `amount`, `revenue`, `sale_date`: the parsed value, NULL where it cannot be read;
  amount and revenue after derivation, `amount_given` and `revenue_given` before. `amount_plain`: the number with
  `.` as its only sign, NULL unless it has one reading; `amount_is_exact`: it has at most four decimals
- `product_name`, `product_id`, `category`, `line_id`, `transaction_id`: the normalised text
- `fault`, `cells`, `surplus`: the framing's verdict, the number of cells, what stands beyond the last column
- `has_control`: the line holds a control character somewhere
- `width`: the number of columns; `has_names`: one is for product names; `dates_are_iso`: the uploader named no other
  form; `has_decimal_comma`: the uploader said so; `seller`, `last_date`: of this reading
"""

from services.aggregator.rules.row_rule import RowRule
from services.aggregator.rules.skip_rules import SKIP_RULES
from services.aggregator.rules.structural_rules import STRUCTURAL_RULES
from services.aggregator.rules.value_rules import CONFLICT, CURRENCIES, DUPLICATE, VALUE_RULES

__all__ = ["CONFLICT", "CURRENCIES", "DUPLICATE", "RULES"]

RULES: tuple[RowRule, ...] = (*STRUCTURAL_RULES, *SKIP_RULES, *VALUE_RULES)
