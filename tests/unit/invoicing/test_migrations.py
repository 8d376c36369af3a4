"""The migrations of invoicing make the very tables that its model maps."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from services.invoicing.model import Base
from shared.migrating import at_head, upgrade


def test_migrations_and_model_agree(tmp_path):
    """After all steps nothing is missing and nothing is left over, and a second run changes nothing."""
    url = f"sqlite:///{tmp_path / 'invoicing.db'}"
    assert not at_head("invoicing", url)
    upgrade("invoicing", url)
    upgrade("invoicing", url)
    assert at_head("invoicing", url)
    engine = create_engine(url)
    with engine.connect() as connection:
        assert [] == compare_metadata(MigrationContext.configure(connection), Base.metadata)
    engine.dispose()
