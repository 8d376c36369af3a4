"""The first tables of notifications: copies, preferences, alerts, deliveries, inbox, idempotency keys."""

import sqlalchemy as sa
from alembic import op

from shared.database import Moment

revision, down_revision, branch_labels, depends_on = "0001", None, None, None


def upgrade() -> None:
    _people()
    _messages()
    op.create_table(
        "inbox",
        sa.Column("event_id", sa.String(40), primary_key=True),
        sa.Column("handler", sa.String(120), primary_key=True),
        sa.Column("heard_at", Moment, nullable=False),
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


def _people() -> None:
    op.create_table(
        "practices",
        sa.Column("practice_id", sa.String(40), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
    )
    op.create_table(
        "members",
        sa.Column("practice_id", sa.String(40), primary_key=True),
        sa.Column("member_id", sa.String(40), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("is_admin", sa.Boolean, nullable=False),
        sa.Column("is_provider", sa.Boolean, nullable=False),
        sa.Column("is_client", sa.Boolean, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
    )
    op.create_table(
        "preferences",
        sa.Column("practice_id", sa.String(40), primary_key=True),
        sa.Column("member_id", sa.String(40), primary_key=True),
        sa.Column("email", sa.Boolean, nullable=False),
    )


def _messages() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("practice_id", sa.String(40), nullable=False),
        sa.Column("member_id", sa.String(40), nullable=False),
        sa.Column("event_id", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("text", sa.String(500), nullable=False),
        sa.Column("path", sa.String(200), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("read_at", Moment),
        sa.UniqueConstraint("event_id", "member_id", "kind", name="alerts_shown_once"),
    )
    op.create_index("alerts_of_member", "alerts", ["practice_id", "member_id", "id"])
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("practice_id", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("channel", sa.String(20), nullable=False),
        sa.Column("member_id", sa.String(40)),
        sa.Column("event_id", sa.String(40)),
        sa.Column("letter_id", sa.String(40)),
        sa.Column("path", sa.String(200)),
        sa.Column("letter", sa.Text),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("problem", sa.String(300)),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("due_at", Moment, nullable=False),
        sa.Column("claimed_until", Moment),
        sa.Column("sent_at", Moment),
        sa.UniqueConstraint("event_id", "member_id", "kind", "channel", name="deliveries_sent_once"),
        sa.UniqueConstraint("practice_id", "letter_id", name="letters_sent_once"),
    )
    op.create_index("deliveries_due", "deliveries", ["status", "due_at"])
    op.create_index("deliveries_of_practice", "deliveries", ["practice_id", "id"])


def downgrade() -> None:
    for table in ("idempotency", "inbox", "deliveries", "alerts", "preferences", "members", "practices"):
        op.drop_table(table)
