"""Who of the staff charged a client's card on file, and why."""

import sqlalchemy as sa
from alembic import op

from shared.database import Json

revision, down_revision, branch_labels, depends_on = "0003", "0002", None, None


def upgrade() -> None:
    op.add_column("payments", sa.Column("charged_by", Json))
