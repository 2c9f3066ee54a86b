"""What the aggregator measures, beside what all services do."""

from prometheus_client import Counter, Gauge, Histogram

FEEDS = Counter("sellersync_feeds_total", "Feeds whose end was stored", ["feed_type", "status"])
ROWS = Counter("sellersync_feed_rows_total", "Rows of those feeds, by what became of them", ["feed_type", "outcome"])
FEED_SECONDS = Histogram(
    "sellersync_feed_seconds",
    "Time from claim to commit",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800),
)
EVENTS_PUBLISHED = Counter("sellersync_events_published_total", "Events that the topic took")
OUTBOX_WAITING = Gauge("sellersync_outbox_waiting_events", "Events committed and not announced")
OUTBOX_LAG_SECONDS = Gauge("sellersync_outbox_lag_seconds", "Age of the oldest of them")
