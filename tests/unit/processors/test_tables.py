"""The migrations and the mapped classes describe the same tables."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from services.processors.model import Base
from shared.migrating import at_head, upgrade


def test_migrations_make_what_the_model_says(room):
    """A database brought up by the migrations differs in nothing from the mapped classes."""
    with room.database.engine.connect() as connection:
        assert [] == compare_metadata(MigrationContext.configure(connection), Base.metadata)


def test_upgrading_twice_is_upgrading_once(tmp_path):
    """The second upgrade finds nothing to do."""
    url = f"sqlite:///{tmp_path}/again.db"
    for _ in range(2):
        upgrade("processors", url)
        assert at_head("processors", url)
