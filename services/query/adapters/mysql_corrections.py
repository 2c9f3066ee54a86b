"""What came of a feed's rejected rows: the feeds that correct it, and how many rows they added."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.query.adapters.mysql_conditions import PENDING, Condition, confined_select, counting
from services.query.adapters.mysql_tables import feeds
from services.query.rules.confinement import Confinement
from shared.schemas.feeds import ProcessingStatus

CORRECTIONS_SHOWN = 100
"""Of one feed, the earliest; its `rows_corrected` sums over all of them."""

_LINKED = (ProcessingStatus.DONE.value, *PENDING)


def select_corrections(feed_ids: Sequence[UUID], confinement: Confinement) -> sa.Select[Any]:
    """Rows (corrects, feed_id, rows_corrected) of a whole page of feeds, the earliest correction first.

    A correction that failed or was cancelled is no link. One that was withdrawn or replaced is, and adds nothing.
    """
    originals = feeds.alias("originals")
    added = sa.case((counting(), feeds.c.rows_accepted), else_=sa.literal_column("0", sa.Integer))
    place = sa.func.row_number().over(partition_by=feeds.c.corrects, order_by=[feeds.c.received_at, feeds.c.feed_id])
    found = (
        confined_select(
            [
                feeds.c.corrects,
                feeds.c.feed_id,
                sa.func.sum(added).over(partition_by=feeds.c.corrects).label("rows_corrected"),
                place.label("place"),
            ],
            feeds,
            confinement,
        )
        .join(originals, _corrects(feeds, originals))
        .where(feeds.c.corrects.in_([str(feed_id) for feed_id in feed_ids]), feeds.c.processing_status.in_(_LINKED))
        .subquery("found")
    )
    return sa.select(found).where(found.c.place <= CORRECTIONS_SHOWN).order_by(found.c.corrects, found.c.place)


def rows_corrected(confinement: Confinement) -> sa.ScalarSelect[Any]:
    """For a statement over `feeds`: rows that the corrections of each have added."""
    corrections = feeds.alias("corrections")
    added = sa.func.coalesce(sa.func.sum(corrections.c.rows_accepted), sa.literal_column("0", sa.Integer))
    return (
        confined_select([added], corrections, confinement)
        .where(_corrects(corrections, feeds), counting(corrections))
        .correlate(feeds)
        .scalar_subquery()
    )


def corrects_what_counts(confinement: Confinement) -> Condition:
    """For a statement over `feeds`: whether a feed sends rows again that were rejected in a feed that counts."""
    originals = feeds.alias("originals")
    return (
        confined_select([sa.literal_column("1")], originals, confinement)
        .where(_corrects(feeds, originals), counting(originals))
        .correlate(feeds)
        .exists()
    )


def _corrects(correction: sa.FromClause, original: sa.FromClause) -> Condition:
    """A feed can name any other; only one of the same seller is a link (P6)."""
    return sa.and_(correction.c.corrects == original.c.feed_id, correction.c.seller_id == original.c.seller_id)
