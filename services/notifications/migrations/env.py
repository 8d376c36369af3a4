"""Alembic's door to the tables of notifications; how migrations run is `shared.migrating`."""

from services.notifications.model import Base
from shared.migrating import run

run(Base.metadata)
