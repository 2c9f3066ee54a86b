"""${message}

MySQL cannot roll back DDL: write every step so that it can run again after it was cut off.
"""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    ${upgrades if upgrades else "raise NotImplementedError"}
