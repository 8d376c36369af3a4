"""A payment in review is live: nobody is told that it ended, the client is asked not to pay again, and staff find the way out."""

import pytest

from shared.contracts.invoicing import Invoicing
from shared.ids import new_id
from tests.unit.gateway.pages.browser import Browser, invoice
from tests.unit.gateway.scripted import sample


@pytest.fixture
def payment(client):
    """A payment in review of $60.00, known in the practice."""
    payment_id = new_id("pay")
    client.world.bus.knows(client.practice_id, payment_id)
    more = {"id": payment_id, "status": "review", "amount": 6000, "currency": "USD", "failure": None, "next_action": None}
    return {**sample(Invoicing.read_payment.gives), **more}


def _invoice(client, payment) -> str:
    return invoice(client.world, client, status="processing", payments=[payment], allowed_actions=[])


def test_the_client_is_told_on_both_pages(client, payment):
    """Neither page leads on in silence: somebody looks at it, nobody is charged twice, and there is nothing to pay again."""
    invoice_id = _invoice(client, payment)
    for path in (f"/invoices/{invoice_id}", f"/invoices/{invoice_id}/pay"):
        assert 200 == client.opens(path).status_code
        assert "Your payment is being looked at" in client.page and "$60.00" in client.page
        assert "Please don&#39;t pay again" in client.page or "Please don't pay again" in client.page
        assert "card-number" not in client.page and "/settle" not in client.page and "/cancel" not in client.page


def test_an_admin_is_led_to_where_it_is_settled(client, payment):
    """The invoice names the page on which an admin says what happened, and the work list; a provider is told that an admin does."""
    invoice_id = _invoice(client, payment)
    admin = Browser(client.world, "ada@practice.example")
    admin.opens(f"/invoices/{invoice_id}")
    assert f'href="/payments/{payment["id"]}/settle"' in admin.page and 'href="/worklist">work list' in admin.page
    client.world.provider(client.world.visitor().signs_in("ada@practice.example"))
    provider = Browser(client.world, "pia@practice.example")
    provider.opens(f"/invoices/{invoice_id}")
    assert "An admin looks it up" in provider.page and "/settle" not in provider.page


@pytest.mark.parametrize(
    ("status", "look", "words"),
    [
        ("review", "waiting", "a person has to look at it first"),
        ("unknown", "waiting", "can't be ended just yet"),
        ("canceled", "closed", "No money moved"),
    ],
)
def test_giving_up_says_how_it_stands(client, payment, status, look, words):
    """That no money moved is said of a canceled payment only."""
    payment |= {"status": status, "invoice_id": _invoice(client, {**payment, "status": "unknown"})}
    client.world.bus.script(Invoicing.cancel_payment, payment)
    page = f"/invoices/{payment['invoice_id']}/pay"
    assert page == client.fills(f"/payments/{payment['id']}/cancel", at="/cards").location
    said = client.opens(page).get_data(as_text=True).replace("&#39;", "'")
    assert words in said and f'class="notice {look}" role="status"' in said
    assert ("No money moved" in said) == (status == "canceled")
