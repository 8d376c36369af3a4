"""Back to a page whose time is over, and buttons that are refused: the invoice with a sentence, never an error page."""

import pytest

from shared.contracts.invoicing import Invoicing
from shared.faults import Conflict, Unanswered
from shared.ids import new_id
from tests.unit.gateway.pages.browser import Browser, invoice
from tests.unit.gateway.scripted import sample

PAGES = ("send", "void", "forgive", "delete", "refund", "record-payment", "edit", "charge-card")


@pytest.mark.parametrize("page", PAGES)
def test_back_to_what_is_done_leads_to_the_invoice(admin, page):
    """After it was sent, voided, forgiven, refunded, recorded, saved or charged, its page says so instead of "nothing here"."""
    invoice_id = invoice(admin.world, admin, status="paid", allowed_actions=[])
    answer = admin.opens(f"/invoices/{invoice_id}/{page}")
    assert (303, f"/invoices/{invoice_id}") == (answer.status_code, answer.location)
    admin.opens(answer.location)
    assert "That is not possible any more. The invoice: paid." in admin.page


def test_back_while_a_payment_is_on_its_way_says_that(admin):
    """What waits for a payment is told so."""
    payment = {**sample(Invoicing.read_payment.gives), "status": "unknown"}
    invoice_id = invoice(admin.world, admin, status="processing", payments=[payment], allowed_actions=[])
    admin.opens(admin.opens(f"/invoices/{invoice_id}/void").location)
    assert "while a payment of this invoice is not settled" in admin.page


REFUSALS = [
    (Conflict("payment_settled", "This payment is succeeded; it can't be canceled any more."), "failed", "canceled any more."),
    (Unanswered(), "waiting", "could not be asked just now"),
]
BUTTONS = [
    ("payments", "check", Invoicing.check_payment),
    ("payments", "cancel", Invoicing.cancel_payment),
    ("refunds", "check", Invoicing.check_refund),
]


@pytest.mark.parametrize(("refusal", "look", "words"), REFUSALS)
@pytest.mark.parametrize(("kind", "verb", "call"), BUTTONS)
def test_a_refused_button_leads_back_with_the_reason(admin, kind, verb, call, refusal, look, words):
    """A check or cancel that is refused or not answered goes back to the invoice that it stood on."""
    its_id = new_id("pay" if kind == "payments" else "ref")
    admin.world.bus.knows(admin.practice_id, its_id)
    admin.world.bus.script(call, refusal)
    where = f"/invoices/{invoice(admin.world, admin)}"
    answer = admin.fills(f"/{kind}/{its_id}/{verb}", at=where, from_page=where)
    assert (303, where) == (answer.status_code, answer.location)
    admin.opens(where)
    assert words in admin.page and f'class="notice {look}" role="{"alert" if look == "failed" else "status"}"' in admin.page


def test_the_buttons_name_the_page_they_stand_on(client):
    """Drawn on the invoice for staff and on the pay page for the payer; an address of somebody else is not followed."""
    payment = {**sample(Invoicing.read_payment.gives), "id": new_id("pay"), "status": "requires_action", "next_action": None}
    where = f"/invoices/{invoice(client.world, client, payments=[payment], allowed_actions=[])}"
    client.opens(f"{where}/pay")
    assert f'name="from_page" value="{where}/pay"' in client.page
    staff = Browser(client.world, "ada@practice.example")
    staff.opens(where)
    assert 2 == staff.page.count(f'name="from_page" value="{where}"')
    client.world.bus.knows(client.practice_id, payment["id"])
    client.world.bus.script(Invoicing.cancel_payment, Unanswered())
    answer = client.fills(f"/payments/{payment['id']}/cancel", at="/cards", from_page="//evil.example")
    assert 503 == answer.status_code


CHECKED = [("failed", "failed"), ("succeeded", "paid"), ("unknown", "waiting"), ("review", "waiting"), ("canceled", "closed")]


@pytest.mark.parametrize(("status", "look"), CHECKED)
def test_what_the_processor_said_has_its_own_look(admin, status, look):
    """A failed payment is not told in the colours of a paid one."""
    payment = {**sample(Invoicing.read_payment.gives), "id": new_id("pay"), "status": status}
    admin.world.bus.knows(admin.practice_id, payment["id"])
    payment["invoice_id"] = invoice(admin.world, admin)
    admin.world.bus.script(Invoicing.check_payment, payment)
    where = f"/invoices/{payment['invoice_id']}"
    admin.fills(f"/payments/{payment['id']}/check", at=where, from_page=where)
    admin.opens(where)
    assert f'class="notice {look}" role="{"alert" if look == "failed" else "status"}"' in admin.page


@pytest.mark.parametrize(
    ("statuses", "look"),
    [(["succeeded", "failed"], "failed"), (["succeeded", "unknown"], "waiting"), (["succeeded", "succeeded"], "paid")],
)
def test_a_refund_that_did_not_go_through_is_not_green(admin, statuses, look):
    """Not all of it could be refunded: in the colours of a failure."""
    refunds = [{**sample(Invoicing.read_refund.gives), "status": status, "currency": "USD"} for status in statuses]
    invoice_id = invoice(admin.world, admin, status="paid", currency="USD", allowed_actions=["refund"])
    admin.world.bus.script(Invoicing.refund_invoice, {"data": refunds})
    admin.fills(f"/invoices/{invoice_id}/refund", amount="10.00")
    admin.opens(f"/invoices/{invoice_id}")
    assert f'class="notice {look}" role="{"alert" if look == "failed" else "status"}"' in admin.page
