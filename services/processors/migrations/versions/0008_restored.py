"""Accounts that are closed after a restore, until the processor's own list has been read."""

import sqlalchemy as sa
from alembic import op

from shared.database import Moment

revision, down_revision, branch_labels, depends_on = "0008", "0007", None, None


def upgrade() -> None:
    op.create_table(
        "restores",
        sa.Column("said_at", Moment, primary_key=True),
        sa.Column("restored_to", Moment, nullable=False),
        sa.Column("done_at", Moment),
    )
    op.add_column("accounts", sa.Column("closed_at", Moment))
    op.add_column("accounts", sa.Column("restored_to", Moment))
    op.add_column("accounts", sa.Column("opens_by_hand", sa.Boolean, nullable=False, server_default=sa.false()))
