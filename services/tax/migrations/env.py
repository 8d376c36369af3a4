"""Alembic's door to the tables of tax; how migrations run is `shared.migrating`."""

from services.tax.model import Base
from shared.migrating import run

run(Base.metadata)
