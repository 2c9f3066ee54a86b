"""Loading a feed's contribution: the groups that it adds, many at a time."""

import json

from services.aggregator.ports import Contribution, ContributionBatches
from services.aggregator.rules.feed_identity import FeedIdentity
from shared.runtime.mysql import MySqlSession

# Every column leaves JSON_TABLE as text that is wider than its target: MariaDB would cut, clamp or zero a typed one
# silently, whereas the strict INSERT refuses on both servers. So does money never pass through a double.
_INSERT_CONTRIBUTIONS = """
INSERT INTO contributions (feed_id, seller_id, sale_date, group_key, product_id, product_name, category, currency,
                           quantity, amount, revenue, transactions)
SELECT %s, %s, g.sale_date,
       LEFT(UNHEX(SHA2(CONCAT_WS(CHAR(31), g.product_id, g.product_name, g.category, g.currency), 256)), 16),
       g.product_id, g.product_name, g.category, g.currency, g.quantity, g.amount, g.revenue, g.transactions
FROM JSON_TABLE(%s, '$[*]' COLUMNS (
    sale_date VARCHAR(40) CHARACTER SET utf8mb4 PATH '$[0]' ERROR ON EMPTY ERROR ON ERROR,
    product_id VARCHAR(2000) CHARACTER SET utf8mb4 PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR,
    product_name VARCHAR(2000) CHARACTER SET utf8mb4 PATH '$[2]' ERROR ON EMPTY ERROR ON ERROR,
    category VARCHAR(2000) CHARACTER SET utf8mb4 PATH '$[3]' ERROR ON EMPTY ERROR ON ERROR,
    currency VARCHAR(40) CHARACTER SET utf8mb4 PATH '$[4]' ERROR ON EMPTY ERROR ON ERROR,
    quantity VARCHAR(80) CHARACTER SET utf8mb4 PATH '$[5]' ERROR ON EMPTY ERROR ON ERROR,
    amount VARCHAR(80) CHARACTER SET utf8mb4 PATH '$[6]' ERROR ON EMPTY ERROR ON ERROR,
    revenue VARCHAR(80) CHARACTER SET utf8mb4 PATH '$[7]' ERROR ON EMPTY ERROR ON ERROR,
    transactions VARCHAR(80) CHARACTER SET utf8mb4 PATH '$[8]' ERROR ON EMPTY ERROR ON ERROR)) AS g"""


async def insert_contributions(session: MySqlSession, feed: FeedIdentity, contributions: ContributionBatches) -> None:
    """Within the caller's transaction."""
    async for batch in contributions():
        groups = json.dumps([_as_texts(group) for group in batch], ensure_ascii=False)
        await session.change(_INSERT_CONTRIBUTIONS, (str(feed.feed_id), feed.seller_id, groups))


def _as_texts(group: Contribution) -> list[str]:
    return [
        group.sale_date.isoformat(),
        group.product_id,
        group.product_name,
        group.category,
        group.currency,
        str(group.quantity),
        format(group.amount, "f"),
        format(group.revenue, "f"),
        str(group.transactions),
    ]
