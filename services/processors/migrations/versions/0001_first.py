"""The first tables of processors: accounts, sealed credentials, attempts, and the messages' own."""

import sqlalchemy as sa
from alembic import op

from shared.database import Json, Moment

revision, down_revision, branch_labels, depends_on = "0001", None, None, None


def upgrade() -> None:
    _accounts()
    _attempts()
    _messages()


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("practice_id", sa.String(40), primary_key=True),
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("description", sa.String(200), nullable=False),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("problem", sa.String(500)),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("test_mode", sa.Boolean, nullable=False),
        sa.Column("card_entry", sa.String(20), nullable=False),
        sa.Column("credentials_hint", sa.String(100)),
        sa.Column("credentials_version", sa.Integer, nullable=False),
        sa.Column("checked_at", Moment),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("hidden_at", Moment),
    )
    op.create_index("one_active_account", "accounts", ["practice_id"], unique=True, **_where("active"))
    op.create_table(
        "credentials",
        sa.Column("practice_id", sa.String(40), primary_key=True),
        sa.Column("account_id", sa.String(40), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
    )


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("practice_id", sa.String(40), primary_key=True),
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("payment_id", sa.String(40)),
        sa.Column("invoice_id", sa.String(40)),
        sa.Column("account_id", sa.String(40)),
        sa.Column("processor_type", sa.String(40)),
        sa.Column("credentials_version", sa.Integer),
        sa.Column("reference", sa.String(20), unique=True),
        sa.Column("amount", sa.BigInteger),
        sa.Column("currency", sa.String(3)),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("processor_ids", Json, nullable=False),
        sa.Column("card_brand", sa.String(20)),
        sa.Column("card_last4", sa.String(4)),
        sa.Column("failure_code", sa.String(40)),
        sa.Column("processor_code", sa.String(100)),
        sa.Column("next_action", Json),
        sa.Column("lease_until", Moment),
        sa.Column("next_look_up_at", Moment),
        sa.Column("look_ups", sa.Integer, nullable=False),
        sa.Column("absences", sa.Integer, nullable=False),
        sa.Column("expires_at", Moment),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("sent_at", Moment),
        sa.Column("settled_at", Moment),
    )
    op.create_index("attempts_by_lease", "attempts", ["lease_until"], **_where("lease_until IS NOT NULL"))
    op.create_index("attempts_by_look_up", "attempts", ["next_look_up_at"], **_where("next_look_up_at IS NOT NULL"))
    op.create_index("attempts_by_payment", "attempts", ["practice_id", "payment_id"])
    op.create_index("attempts_by_account", "attempts", ["practice_id", "account_id"])


def _messages() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("event", sa.String(60), nullable=False),
        sa.Column("practice_id", sa.String(40), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("claimed_until", Moment),
        sa.Column("published_at", Moment),
        sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("error", sa.String(60)),
    )
    op.create_index("ix_outbox_waiting", "outbox", ["id"], **_where("published_at IS NULL"))
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


def _where(condition: str) -> dict:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
