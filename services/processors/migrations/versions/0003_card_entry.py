"""How a charge's card is entered, and what processors said of an account that our page needs to know."""

import sqlalchemy as sa
from alembic import op

from shared.database import Json

revision, down_revision, branch_labels, depends_on = "0003", "0002", None, None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("learned", Json, nullable=False, server_default="{}"))
    op.add_column("attempts", sa.Column("card_entry", sa.String(20), nullable=False, server_default="direct"))
    op.add_column("attempts", sa.Column("on_page", sa.Boolean, nullable=False, server_default=sa.false()))
