"""Sealing keys that rotate, when credentials were replaced, and when they are tried again."""

import sqlalchemy as sa
from alembic import op

from shared.database import Moment

revision, down_revision, branch_labels, depends_on = "0006", "0005", None, None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("check_at", Moment))
    op.add_column("credentials", sa.Column("replaced_at", Moment))
    op.execute(
        "UPDATE credentials SET replaced_at = created_at WHERE version <> (SELECT a.credentials_version FROM accounts a "
        "WHERE a.practice_id = credentials.practice_id AND a.id = credentials.account_id)"
    )
    op.create_table(
        "sealing_keys",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("public", sa.String(60), nullable=False),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("replaced_at", Moment),
    )
