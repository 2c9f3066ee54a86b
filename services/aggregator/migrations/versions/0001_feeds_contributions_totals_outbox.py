"""Feeds, what each of them adds, the totals, and the outbox.

MySQL cannot roll back DDL: every step can run again after it was cut off.
Ids and codes are ASCII and compared as bytes; text is utf8mb4 and compared as bytes too: case and accents distinguish.
"""

from alembic import op

revision = "0001"
down_revision = None

_ASCII = "CHARACTER SET ascii COLLATE ascii_bin"
_TABLE = "ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"

_FEEDS = f"""
CREATE TABLE IF NOT EXISTS feeds (
    feed_id CHAR(36) {_ASCII} NOT NULL,
    seller_id VARCHAR(64) {_ASCII} NOT NULL,
    feed_type VARCHAR(32) {_ASCII} NOT NULL,
    file_name VARCHAR(255) NOT NULL,
    bucket VARCHAR(63) {_ASCII} NOT NULL,
    object_key VARCHAR(1024) NOT NULL,
    object_version VARCHAR(255) {_ASCII} NULL,
    object_etag VARCHAR(128) {_ASCII} NULL,
    size_bytes BIGINT NULL,
    sha256 CHAR(64) {_ASCII} NULL,
    counted_sha256 CHAR(64) {_ASCII} NULL COMMENT 'sha256 while this feed counts',
    correlation_id VARCHAR(64) {_ASCII} NOT NULL,
    processing_status VARCHAR(16) {_ASCII} NOT NULL,
    phase VARCHAR(16) {_ASCII} NULL,
    fence BIGINT NOT NULL DEFAULT 0,
    lease_owner VARCHAR(128) {_ASCII} NULL,
    lease_expires_at DATETIME(6) NULL,
    attempts INT NOT NULL DEFAULT 0,
    rows_received BIGINT NOT NULL DEFAULT 0,
    rows_accepted BIGINT NOT NULL DEFAULT 0,
    rows_rejected BIGINT NOT NULL DEFAULT 0,
    rows_duplicate BIGINT NOT NULL DEFAULT 0,
    rows_skipped BIGINT NOT NULL DEFAULT 0,
    issue_totals JSON NULL,
    layout VARCHAR(64) NULL,
    error_code VARCHAR(64) {_ASCII} NULL,
    error_message TEXT NULL,
    report_uri VARCHAR(1500) NULL,
    raw_uri VARCHAR(1500) NULL,
    duplicate_of CHAR(36) {_ASCII} NULL,
    received_at DATETIME(6) NOT NULL,
    started_at DATETIME(6) NULL,
    finished_at DATETIME(6) NULL,
    updated_at DATETIME(6) NOT NULL,
    PRIMARY KEY (feed_id),
    UNIQUE KEY same_bytes_count_once (seller_id, feed_type, counted_sha256),
    KEY by_time (received_at, feed_id),
    KEY by_seller_and_time (seller_id, received_at, feed_id)
) {_TABLE}
"""

_GROUP = f"""
    sale_date DATE NOT NULL,
    group_key BINARY(16) NOT NULL,
    product_id VARCHAR(128) NOT NULL,
    product_name VARCHAR(255) NOT NULL,
    category VARCHAR(128) NOT NULL,
    currency VARCHAR(3) {_ASCII} NOT NULL,
    quantity BIGINT NOT NULL,
    amount DECIMAL(38,4) NOT NULL,
    revenue DECIMAL(38,4) NOT NULL,
    transactions BIGINT NOT NULL,
"""

_CONTRIBUTIONS = f"""
CREATE TABLE IF NOT EXISTS contributions (
    feed_id CHAR(36) {_ASCII} NOT NULL,
    seller_id VARCHAR(64) {_ASCII} NOT NULL,
    {_GROUP}
    PRIMARY KEY (feed_id, sale_date, group_key),
    KEY by_day (sale_date, seller_id, feed_id, group_key),
    KEY by_seller_and_day (seller_id, sale_date, feed_id, group_key)
) {_TABLE}
"""

_TOTALS = f"""
CREATE TABLE IF NOT EXISTS totals (
    seller_id VARCHAR(64) {_ASCII} NOT NULL,
    {_GROUP}
    PRIMARY KEY (seller_id, sale_date, group_key),
    KEY by_day (sale_date)
) {_TABLE}
"""

_OUTBOX = f"""
CREATE TABLE IF NOT EXISTS outbox (
    id BIGINT NOT NULL AUTO_INCREMENT,
    event_id CHAR(36) {_ASCII} NOT NULL,
    feed_id CHAR(36) {_ASCII} NOT NULL,
    sequence INT NOT NULL,
    event_type VARCHAR(64) {_ASCII} NOT NULL,
    seller_id VARCHAR(64) {_ASCII} NOT NULL,
    feed_type VARCHAR(32) {_ASCII} NOT NULL,
    severity VARCHAR(16) {_ASCII} NOT NULL,
    correlation_id VARCHAR(64) {_ASCII} NOT NULL,
    body MEDIUMTEXT NOT NULL,
    created_at DATETIME(6) NOT NULL,
    published_at DATETIME(6) NULL,
    attempts INT NOT NULL DEFAULT 0,
    PRIMARY KEY (id),
    UNIQUE KEY event (event_id),
    UNIQUE KEY in_order (feed_id, sequence),
    KEY unpublished (published_at, id)
) {_TABLE}
"""


def upgrade() -> None:
    for table in (_FEEDS, _CONTRIBUTIONS, _TOTALS, _OUTBOX):
        op.execute(table)
