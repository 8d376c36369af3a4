"""Alembic's door to the tables of invoicing; how migrations run is `shared.migrating`."""

from services.invoicing.model import Base
from shared.migrating import run

run(Base.metadata)
