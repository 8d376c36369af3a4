"""What only a person can explain, for the work list."""

import sqlalchemy as sa
from alembic import op

from shared.database import Moment

revision, down_revision, branch_labels, depends_on = "0002", "0001", None, None


def upgrade() -> None:
    op.create_table(
        "findings",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("practice_id", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("payment_id", sa.String(40)),
        sa.Column("refund_id", sa.String(40)),
        sa.Column("reference", sa.String(40)),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("closed_at", Moment),
        sa.Column("closed_by", sa.String(200)),
    )
    op.create_index("findings_of_a_practice", "findings", ["practice_id", "created_at"])
