"""What notifications is made of, built once from the settings: database, keys, channels and the texts of mail."""

from dataclasses import dataclass

from services.notifications import texts
from services.notifications.channels.base import Channel
from services.notifications.channels.email import KeptMail, Smtp
from services.notifications.model import EMAIL
from services.notifications.usecases.delivering import Post
from shared.clock import SystemClock
from shared.database import Database
from shared.keys import KeyRing
from shared.settings import Settings
from shared.vault import Vault


@dataclass(frozen=True)
class Room:
    """Everything the use cases are given."""

    db: Database
    clock: SystemClock
    keys: KeyRing
    vault: Vault
    post: Post
    kept_mail: KeptMail | None

    def close(self) -> None:
        self.db.dispose()


def build(settings: Settings) -> Room:
    """The room for one process. Raises ValueError for a mail server or a template that can't be used."""
    keys = settings.keys("notifications")
    vault = settings.vault("notifications")
    kept = KeptMail(settings.data / "mail", settings.mail_from)
    channel: Channel = Smtp(settings.smtp_url, settings.mail_from) if settings.smtp_url else kept
    post = Post({EMAIL: channel}, texts.load(), vault, settings.public_url, settings.time_scale)
    db = Database(settings.database_url("notifications"), pool_size=settings.max_workers)
    return Room(db, SystemClock(), keys, vault, post, kept if settings.development else None)
