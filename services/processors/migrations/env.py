"""Alembic's door to the tables of processors; how migrations run is `shared.migrating`."""

from services.processors.model import Base
from shared.migrating import run

run(Base.metadata)
