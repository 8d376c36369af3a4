"""The first tables of tax: settings, copies of clients, idempotency keys."""

import sqlalchemy as sa
from alembic import op

from shared.database import Moment

revision, down_revision, branch_labels, depends_on = "0001", None, None, None


def upgrade() -> None:
    op.create_table(
        "settings",
        sa.Column("practice_id", sa.String(40), primary_key=True),
        sa.Column("requirement", sa.String(20), nullable=False),
        sa.Column("name", sa.String(60)),
        sa.Column("rate", sa.String(40)),
        sa.Column("prices_include_tax", sa.Boolean, nullable=False),
        sa.Column("sourcing", sa.String(10), nullable=False),
        sa.Column("rounding", sa.String(10), nullable=False),
        sa.Column("rounding_mode", sa.String(10), nullable=False),
        sa.Column("default_category", sa.String(10), nullable=False),
        sa.Column("chosen", sa.Boolean, nullable=False),
        sa.Column("changed_by", sa.String(40), nullable=False),
        sa.Column("changed_at", Moment),
    )
    op.create_table(
        "clients",
        sa.Column("practice_id", sa.String(40), primary_key=True),
        sa.Column("client_id", sa.String(40), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("tax_exempt", sa.Boolean, nullable=False),
    )
    op.create_table(
        "idempotency",
        sa.Column("practice_id", sa.String(40), primary_key=True),
        sa.Column("person_id", sa.String(40), primary_key=True),
        sa.Column("route", sa.String(200), primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("subject_id", sa.String(40)),
        sa.Column("answer", sa.Text),
        sa.Column("status", sa.Integer),
        sa.Column("created_at", Moment, nullable=False),
    )


def downgrade() -> None:
    for table in ("idempotency", "clients", "settings"):
        op.drop_table(table)
