"""Who settled an attempt that nobody else could; when an account was compared with its processor's own list."""

import sqlalchemy as sa
from alembic import op

from shared.database import Moment

revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None


def upgrade() -> None:
    op.add_column("attempts", sa.Column("settled_by", sa.String(40)))
    op.add_column("attempts", sa.Column("settled_reason", sa.String(500)))
    op.add_column("accounts", sa.Column("compared_at", Moment))
    op.add_column("accounts", sa.Column("compare_at", Moment))
    op.add_column("accounts", sa.Column("differences", sa.Integer, nullable=False, server_default="0"))
