"""Mail that was kept as files because no SMTP server is set: shown in development only."""

from services.gateway.asker import Answer, Gateway
from shared.caller import Caller
from shared.contracts.notifications import Notifications
from shared.faults import NotFound


def list_kept_mail(gateway: Gateway) -> Answer:
    """The newest mails; raises NotFound outside development."""
    if not gateway.settings.development:
        raise NotFound()
    return gateway.ask(Notifications.list_kept_mail, {}, Caller.system("prc_system"))
