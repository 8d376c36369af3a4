"""Failover: a practice's order of accounts, and what a payment was before it went on to the next one."""

import sqlalchemy as sa
from alembic import op

from shared.database import Json, Moment

revision, down_revision, branch_labels, depends_on = "0004", "0003", None, None


def upgrade() -> None:
    op.add_column("attempts", sa.Column("tries", sa.Integer, nullable=False, server_default="1"))
    op.create_table(
        "tries",
        sa.Column("practice_id", sa.String(40), primary_key=True),
        sa.Column("attempt_id", sa.String(40), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("account_id", sa.String(40), nullable=False, index=True),
        sa.Column("reference", sa.String(20), nullable=False),
        sa.Column("processor_ids", Json, nullable=False),
        sa.Column("failure_code", sa.String(40)),
        sa.Column("processor_code", sa.String(100)),
        sa.Column("ended_at", Moment, nullable=False),
    )
    op.create_table(
        "failovers",
        sa.Column("practice_id", sa.String(40), primary_key=True),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("account_ids", Json, nullable=False),
    )
