"""Where Alembic begins for the gateway's database."""

from services.gateway.people.model import Base
from shared.migrating import run

run(Base.metadata)
