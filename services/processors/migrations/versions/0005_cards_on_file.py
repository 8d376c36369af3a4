"""Cards on file: what clients allowed to be kept, and what the processor keeps it under, sealed."""

import sqlalchemy as sa
from alembic import op

from shared.database import Moment

revision, down_revision, branch_labels, depends_on = "0005", "0004", None, None


def upgrade() -> None:
    op.create_table(
        "saved_cards",
        sa.Column("practice_id", sa.String(40), primary_key=True),
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("client_id", sa.String(40), nullable=False),
        sa.Column("account_id", sa.String(40), nullable=False),
        sa.Column("brand", sa.String(20), nullable=False),
        sa.Column("last4", sa.String(4), nullable=False),
        sa.Column("exp_month", sa.Integer, nullable=False),
        sa.Column("exp_year", sa.Integer, nullable=False),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("is_default", sa.Boolean, nullable=False),
        sa.Column("consent", sa.String(500), nullable=False),
        sa.Column("consent_at", Moment, nullable=False),
        sa.Column("removed_at", Moment),
        sa.Column("warned_at", Moment),
    )
    op.create_index("cards_of_a_client", "saved_cards", ["practice_id", "client_id"])
