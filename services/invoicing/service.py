"""Invoicing's door: entrypoints only. What happens is in `usecases`."""

from services.invoicing.config import Pace, open_storage
from services.invoicing.usecases import (
    checking,
    closing,
    copies,
    drafting,
    paying,
    reading,
    recording,
    refunding,
    sending,
    service_settings,
    settling,
)
from shared.answering import Given, answers, every
from shared.asking import Bus
from shared.clock import SystemClock
from shared.contracts.invoicing import Invoicing
from shared.contracts.processors import Processors
from shared.outbox import Relay, forget_old_news, hears


class InvoicingService:
    """Invoices, payments, refunds, credit and the ledger."""

    name = Invoicing.service
    storage = Given(open_storage)
    bus = Given(lambda settings: Bus(settings, Invoicing.service))
    pace = Given(Pace.read)
    clock = Given(lambda settings: SystemClock())
    relay = Relay(Invoicing)

    @answers(Invoicing.put_practice)
    def put_practice(self, caller, request):
        return copies.put_practice(caller, request, self.storage)

    @answers(Invoicing.put_client)
    def put_client(self, caller, request):
        return copies.put_client(caller, request, self.storage)

    @answers(Invoicing.put_colleague)
    def put_colleague(self, caller, request):
        return copies.put_colleague(caller, request, self.storage)

    @answers(Invoicing.read_service)
    def read_service(self, caller, request):
        return service_settings.read_service(caller, self.storage)

    @answers(Invoicing.change_service)
    def change_service(self, caller, request):
        return service_settings.change_service(caller, request, self.storage)

    @answers(Invoicing.create_invoice)
    def create_invoice(self, caller, request):
        return drafting.create_invoice(caller, request, self.storage, self.bus, self.clock)

    @answers(Invoicing.edit_invoice)
    def edit_invoice(self, caller, request):
        return drafting.edit_invoice(caller, request, self.storage, self.bus, self.clock)

    @answers(Invoicing.delete_invoice)
    def delete_invoice(self, caller, request):
        return drafting.delete_invoice(caller, request, self.storage)

    @answers(Invoicing.send_invoice)
    def send_invoice(self, caller, request):
        return sending.send_invoice(caller, request, self.storage, self.bus, self.clock)

    @answers(Invoicing.void_invoice)
    def void_invoice(self, caller, request):
        return closing.void_invoice(caller, request, self.storage, self.clock)

    @answers(Invoicing.forgive_invoice)
    def forgive_invoice(self, caller, request):
        return closing.forgive_invoice(caller, request, self.storage, self.clock)

    @answers(Invoicing.read_invoice)
    def read_invoice(self, caller, request):
        return reading.read_invoice(caller, request, self.storage, self.clock)

    @answers(Invoicing.list_invoices)
    def list_invoices(self, caller, request):
        return reading.list_invoices(caller, request, self.storage, self.clock)

    @answers(Invoicing.read_summary)
    def read_summary(self, caller, request):
        return reading.read_summary(caller, self.storage, self.clock)

    @answers(Invoicing.read_timeline)
    def read_timeline(self, caller, request):
        return reading.read_timeline(caller, request, self.storage)

    @answers(Invoicing.explain)
    def explain(self, caller, request):
        return reading.explain(caller, request, self.storage, self.clock)

    @answers(Invoicing.record_payment)
    def record_payment(self, caller, request):
        return recording.record_payment(caller, request, self.storage, self.clock)

    @answers(Invoicing.pay_invoice)
    def pay_invoice(self, caller, request):
        return paying.pay_invoice(caller, request, self.storage, self.bus, self.clock, self.pace)

    @answers(Invoicing.read_payment)
    def read_payment(self, caller, request):
        return checking.read_payment(caller, request, self.storage)

    @answers(Invoicing.check_payment)
    def check_payment(self, caller, request):
        return checking.check_payment(caller, request, self.storage, self.bus, self.clock, self.pace)

    @answers(Invoicing.cancel_payment)
    def cancel_payment(self, caller, request):
        return checking.cancel_payment(caller, request, self.storage, self.bus, self.clock, self.pace)

    @answers(Invoicing.refund_invoice)
    def refund_invoice(self, caller, request):
        return refunding.refund_invoice(caller, request, self.storage, self.bus, self.clock, self.pace)

    @answers(Invoicing.read_refund)
    def read_refund(self, caller, request):
        return refunding.read_refund(caller, request, self.storage)

    @answers(Invoicing.check_refund)
    def check_refund(self, caller, request):
        return refunding.check_refund(caller, request, self.storage, self.bus, self.clock, self.pace)

    @answers(Invoicing.cancel_refund)
    def cancel_refund(self, caller, request):
        return refunding.cancel_refund(caller, request, self.storage, self.bus, self.clock, self.pace)

    @answers(Invoicing.read_client_account)
    def read_client_account(self, caller, request):
        return recording.read_client_account(caller, request, self.storage)

    @answers(Invoicing.refund_credit)
    def refund_credit(self, caller, request):
        return recording.refund_credit(caller, request, self.storage, self.clock)

    @answers(Invoicing.list_work)
    def list_work(self, caller, request):
        return settling.list_work(caller, self.storage)

    @answers(Invoicing.settle_payment)
    def settle_payment(self, caller, request):
        return settling.settle_payment(caller, request, self.storage, self.bus, self.clock, self.pace)

    @answers(Invoicing.settle_refund)
    def settle_refund(self, caller, request):
        return settling.settle_refund(caller, request, self.storage, self.bus, self.clock, self.pace)

    @answers(Invoicing.close_finding)
    def close_finding(self, caller, request):
        return settling.close_finding(caller, request, self.storage, self.clock)

    @hears(Processors.charge_settled)
    def charge_settled(self, news):
        checking.charge_settled(news, self.storage, self.clock, self.pace)

    @hears(Processors.refund_settled)
    def refund_settled(self, news):
        checking.refund_settled(news, self.storage, self.clock, self.pace)

    @hears(Processors.difference_found)
    def difference_found(self, news):
        settling.difference_found(news, self.storage, self.clock)

    @every(3600)
    def forget_old_keys(self):
        checking.forget_old_keys(self.storage, self.clock)

    @every(3600)
    def forget_old_news(self):
        forget_old_news(self.storage.database, self.clock.now())

    @every(1)
    def sweep(self):
        checking.sweep(self.storage, self.bus, self.clock, self.pace)
