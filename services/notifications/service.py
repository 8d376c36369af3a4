"""The door of notifications: entrypoints only, each a line."""

from services.notifications.config import build
from services.notifications.usecases import alerting, copying, delivering, letters, reading
from shared.answering import Given, answers, every
from shared.contracts.invoicing import Invoicing
from shared.contracts.notifications import Notifications
from shared.contracts.processors import Processors
from shared.outbox import forget_old_news, hears


class NotificationsService:
    """Alerts in the app and by mail, and letters with a link that works once."""

    name = Notifications.service
    room = Given(build)

    @answers(Notifications.put_practice)
    def put_practice(self, caller, request):
        return copying.put_practice(caller, request, self.room.db)

    @answers(Notifications.put_member)
    def put_member(self, caller, request):
        return copying.put_member(caller, request, self.room.db, self.room.keys, self.room.vault)

    @answers(Notifications.send_letter)
    def send_letter(self, caller, request):
        return letters.send_letter(caller, request, self.room.db, self.room.clock, self.room.keys, self.room.vault)

    @answers(Notifications.list_alerts)
    def list_alerts(self, caller, request):
        return reading.list_alerts(caller, request, self.room.db)

    @answers(Notifications.count_unread)
    def count_unread(self, caller, request):
        return reading.count_unread(caller, self.room.db)

    @answers(Notifications.read_alert)
    def read_alert(self, caller, request):
        return reading.read_alert(caller, request, self.room.db, self.room.clock)

    @answers(Notifications.read_preferences)
    def read_preferences(self, caller, request):
        return reading.read_preferences(caller, self.room.db)

    @answers(Notifications.change_preferences)
    def change_preferences(self, caller, request):
        return reading.change_preferences(caller, request, self.room.db)

    @answers(Notifications.list_deliveries)
    def list_deliveries(self, caller, request):
        return reading.list_deliveries(caller, request, self.room.db)

    @answers(Notifications.resend_delivery)
    def resend_delivery(self, caller, request):
        return reading.resend_delivery(caller, request, self.room.db, self.room.clock)

    @answers(Notifications.list_kept_mail)
    def list_kept_mail(self, caller, request):
        return reading.list_kept_mail(self.room.kept_mail)

    @hears(Invoicing.invoice_sent)
    def invoice_sent(self, news):
        alerting.tell_of_invoice("invoice_sent", news, self.room.db, self.room.clock)

    @hears(Invoicing.payment_received)
    def payment_received(self, news):
        alerting.tell_of_invoice("payment_received", news, self.room.db, self.room.clock)

    @hears(Invoicing.payment_failed)
    def payment_failed(self, news):
        alerting.tell_of_invoice("payment_failed", news, self.room.db, self.room.clock)

    @hears(Invoicing.refund_made)
    def refund_made(self, news):
        alerting.tell_of_invoice("refund_made", news, self.room.db, self.room.clock)

    @hears(Invoicing.invoice_voided)
    def invoice_voided(self, news):
        alerting.tell_of_invoice("invoice_voided", news, self.room.db, self.room.clock)

    @hears(Invoicing.invoice_forgiven)
    def invoice_forgiven(self, news):
        alerting.tell_of_invoice("invoice_forgiven", news, self.room.db, self.room.clock)

    @hears(Processors.credentials_refused)
    def credentials_refused(self, news):
        alerting.tell_of_refused_credentials(news, self.room.db, self.room.clock)

    @hears(Processors.card_expiring)
    def card_expiring(self, news):
        alerting.tell_of_expiring_card(news, self.room.db, self.room.clock)

    @every(1, scaled=False)
    def send_due(self):
        delivering.send_due(self.room.db, self.room.clock, self.room.post)

    @every(3600)
    def forget_old_keys(self):
        reading.forget_old_keys(self.room.db, self.room.clock)

    @every(3600)
    def forget_old_news(self):
        forget_old_news(self.room.db, self.room.clock.now(), relays=False)
