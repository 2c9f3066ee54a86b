"""How feeds relate to each other, how far one is, with which options it was read, and the steps of its life.

MySQL cannot roll back DDL and, unlike MariaDB, knows no ADD COLUMN IF NOT EXISTS: what is there already is looked up,
so that every step can run again after it was cut off.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_ASCII = "CHARACTER SET ascii COLLATE ascii_bin"

_COLUMNS = {
    "options": "JSON NULL COMMENT 'FeedOptions of the result that stands'",
    "recognised": "JSON NULL COMMENT 'what the file was found to be'",
    "percent": "TINYINT UNSIGNED NULL COMMENT 'while IN_PROGRESS'",
    "rejected_uri": "VARCHAR(1500) NULL",
    "replaces": f"CHAR(36) {_ASCII} NULL",
    "replaced_by": f"CHAR(36) {_ASCII} NULL",
    "corrects": f"CHAR(36) {_ASCII} NULL",
    "withdrawn_at": "DATETIME(6) NULL",
    "object_sequencer": f"VARCHAR(64) {_ASCII} NULL COMMENT 'orders the versions of one key, as S3 gave it'",
    "object_modified_at": "DATETIME(6) NULL COMMENT 'orders them where there is no sequencer'",
    "runs": "INT NOT NULL DEFAULT 1 COMMENT 'one more for every time that reprocessing was asked for'",
    "earlier_status": f"VARCHAR(16) {_ASCII} NULL COMMENT 'of the result that stands until reprocessing is done'",
    "reprocess_options": "JSON NULL COMMENT 'instead of those that the object came with'",
}

_INDEXES = {
    "by_corrects": "(corrects)",
    # A key has up to 1,024 characters, more than an index takes.
    "by_object": "(bucket, object_key(255))",
}

_FEED_HISTORY = f"""
CREATE TABLE IF NOT EXISTS feed_history (
    id BIGINT NOT NULL AUTO_INCREMENT,
    feed_id CHAR(36) {_ASCII} NOT NULL,
    at DATETIME(6) NOT NULL,
    event VARCHAR(32) {_ASCII} NOT NULL,
    actor VARCHAR(128) NOT NULL,
    detail JSON NOT NULL,
    PRIMARY KEY (id),
    KEY by_feed (feed_id, id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
"""


def upgrade() -> None:
    inspector = sa.inspect(op.get_bind())
    columns = {str(column["name"]) for column in inspector.get_columns("feeds")}
    indexes = {str(index["name"]) for index in inspector.get_indexes("feeds")}
    missing = [f"ADD COLUMN {name} {kind}" for name, kind in _COLUMNS.items() if name not in columns]
    missing += [f"ADD KEY {name} {parts}" for name, parts in _INDEXES.items() if name not in indexes]
    if missing:
        op.execute(f"ALTER TABLE feeds {', '.join(missing)}")
    op.execute(_FEED_HISTORY)
