"""The migrations of tax make the very tables that its model maps."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from services.tax.model import Base
from shared.migrating import at_head, upgrade


def test_migrations_and_model_agree(tmp_path):
    """After all steps nothing is missing and nothing is left over, and a second run changes nothing."""
    url = f"sqlite:///{tmp_path / 'tax.db'}"
    assert not at_head("tax", url)
    upgrade("tax", url)
    upgrade("tax", url)
    assert at_head("tax", url)
    engine = create_engine(url)
    with engine.connect() as connection:
        assert [] == compare_metadata(MigrationContext.configure(connection), Base.metadata)
    engine.dispose()
