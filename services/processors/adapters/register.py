"""Which processors work today: one line each. Building them does nothing but hold what they were given."""

from services.processors.adapters.authorize_net import AuthorizeNet
from services.processors.adapters.base import Adapter
from services.processors.adapters.elavon import Elavon
from services.processors.adapters.sandbox import Sandbox
from services.processors.adapters.stripe import Stripe
from services.processors.sandbox_books import SandboxBooks
from shared.settings import Settings


def build_adapters(settings: Settings, books: SandboxBooks) -> dict[str, Adapter]:
    """The adapters by their type, in the order of the pulldown."""
    clock = books.clock
    adapters: list[Adapter] = [Stripe(settings), AuthorizeNet(settings, clock), Elavon(settings, clock), Sandbox(books)]
    return {adapter.name: adapter for adapter in adapters}
