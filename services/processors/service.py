"""The door of processors: entrypoints and timers only, a line each."""

from services.processors.config import build
from services.processors.usecases import (
    accounts,
    cards,
    charging,
    checking,
    comparing,
    failing_over,
    looking_up,
    nudging,
    refunding,
    reopening,
    sealing,
    settling,
)
from shared.answering import Given, answers, every
from shared.contracts.processors import Processors
from shared.outbox import Relay, forget_old_news


class ProcessorsService:
    """Accounts at card processors, charges and refunds that happen once, and look-ups of what is not known."""

    name = Processors.service
    room = Given(build)
    relay = Relay(Processors)

    @answers(Processors.list_types)
    def list_types(self, caller, request):
        return accounts.list_types(self.room)

    @answers(Processors.add_processor)
    def add_processor(self, caller, request):
        return accounts.add_processor(caller, request, self.room)

    @answers(Processors.list_processors)
    def list_processors(self, caller, request):
        return accounts.list_processors(caller, self.room)

    @answers(Processors.read_processor)
    def read_processor(self, caller, request):
        return accounts.read_processor(caller, request, self.room)

    @answers(Processors.change_processor)
    def change_processor(self, caller, request):
        return accounts.change_processor(caller, request, self.room)

    @answers(Processors.remove_processor)
    def remove_processor(self, caller, request):
        return accounts.remove_processor(caller, request, self.room)

    @answers(Processors.check_processor)
    def check_processor(self, caller, request):
        return accounts.check_processor(caller, request, self.room)

    @answers(Processors.activate_processor)
    def activate_processor(self, caller, request):
        return accounts.activate_processor(caller, request, self.room)

    @answers(Processors.open_payments)
    def open_payments(self, caller, request):
        return reopening.open_payments(caller, request, self.room)

    @answers(Processors.read_card_entry)
    def read_card_entry(self, caller, request):
        return accounts.read_card_entry(caller, self.room)

    @answers(Processors.read_sealing_key)
    def read_sealing_key(self, caller, request):
        return sealing.read_sealing_key(self.room)

    @answers(Processors.read_failover)
    def read_failover(self, caller, request):
        return failing_over.read_failover(caller, self.room)

    @answers(Processors.change_failover)
    def change_failover(self, caller, request):
        return failing_over.change_failover(caller, request, self.room)

    @answers(Processors.save_card)
    def save_card(self, caller, request):
        return cards.save_card(caller, request, self.room)

    @answers(Processors.list_cards)
    def list_cards(self, caller, request):
        return cards.list_cards(caller, request, self.room)

    @answers(Processors.read_card)
    def read_card(self, caller, request):
        return cards.read_card(caller, request, self.room)

    @answers(Processors.choose_card)
    def choose_card(self, caller, request):
        return cards.choose_card(caller, request, self.room)

    @answers(Processors.remove_card)
    def remove_card(self, caller, request):
        return cards.remove_card(caller, request, self.room)

    @answers(Processors.charge)
    def charge(self, caller, request):
        return charging.charge(caller, request, self.room)

    @answers(Processors.read_charge)
    def read_charge(self, caller, request):
        return looking_up.read_charge(caller, request, self.room)

    @answers(Processors.check_charge)
    def check_charge(self, caller, request):
        return looking_up.check_charge(caller, request, self.room)

    @answers(Processors.cancel_charge)
    def cancel_charge(self, caller, request):
        return charging.cancel_charge(caller, request, self.room)

    @answers(Processors.refund)
    def refund(self, caller, request):
        return refunding.refund(caller, request, self.room)

    @answers(Processors.read_refund)
    def read_refund(self, caller, request):
        return looking_up.read_refund(caller, request, self.room)

    @answers(Processors.check_refund)
    def check_refund(self, caller, request):
        return looking_up.check_refund(caller, request, self.room)

    @answers(Processors.cancel_refund)
    def cancel_refund(self, caller, request):
        return looking_up.cancel_refund(caller, request, self.room)

    @answers(Processors.receive_webhook)
    def receive_webhook(self, caller, request):
        return nudging.receive_webhook(caller, request, self.room)

    @answers(Processors.settle_charge)
    def settle_charge(self, caller, request):
        return settling.settle_charge(caller, request, self.room)

    @answers(Processors.settle_refund)
    def settle_refund(self, caller, request):
        return settling.settle_refund(caller, request, self.room)

    @answers(Processors.read_evidence)
    def read_evidence(self, caller, request):
        return settling.read_evidence(caller, request, self.room)

    @answers(Processors.answer_sandbox)
    def answer_sandbox(self, caller, request):
        return charging.answer_sandbox(caller, request, self.room)

    @every(1, scaled=False)
    def settle_due(self):
        looking_up.settle_due(self.room)

    @every(60)
    def compare_due(self):
        comparing.compare_due(self.room)

    @every(600)
    def tend_cards(self):
        cards.tend_cards(self.room)

    @every(60)
    def check_due(self):
        checking.check_due(self.room)

    @every(3600)
    def renew_sealing_key(self):
        sealing.renew_key(self.room)

    @every(3600)
    def forget_old_keys(self):
        accounts.forget_old_keys(self.room)

    @every(3600)
    def forget_old_news(self):
        forget_old_news(self.room.database, self.room.clock.now())
