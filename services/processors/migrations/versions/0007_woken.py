"""Look-ups that somebody woke are told apart from those that are due by themselves."""

import sqlalchemy as sa
from alembic import op

from shared.database import Moment

revision, down_revision, branch_labels, depends_on = "0007", "0006", None, None


def upgrade() -> None:
    woken = sa.text("woken_at IS NOT NULL")
    op.add_column("attempts", sa.Column("woken_at", Moment))
    op.create_index("attempts_by_wake", "attempts", ["woken_at"], sqlite_where=woken, postgresql_where=woken)
