"""The journey over HTTP, with the sandbox and with Stripe's SDK against a local Stripe server; the same answers on every system."""

import pytest

from tests.api import VISA, Person, Practice, card


@pytest.fixture(params=["sandbox", "stripe"])
def practice(request, system, stripe_url):
    if request.param == "sandbox":
        return Practice(system)
    return Practice(system, {"type": "stripe", "credentials": {"secret_key": "sk_test_localserver", "api_base": stripe_url}})


def test_the_whole_journey(practice, system):
    """Bill $120.50 plus 7.25 %, pay $129.24, refund $20.50; forgive one, void one, record one; the books balance."""
    invoice = practice.invoice(12050)
    assert ("open", 874, 12924, 12924) == tuple(invoice[name] for name in ("status", "tax", "total", "balance_due"))
    assert ["pay"] == practice.read(invoice, practice.client)["allowed_actions"]

    paid = practice.pay(invoice, VISA)
    assert 201 == paid.status_code, paid.text
    assert "succeeded" == paid.json()["status"]
    read = practice.read(invoice)
    assert ("paid", 12924, 0) == (read["status"], read["amount_paid"], read["balance_due"])
    assert "4242" == read["payments"][0]["card"]["last4"]

    refund = practice.admin.must(
        201, "POST", f"/api/v1/invoices/{invoice['id']}/refunds", {"amount": 2050, "reason": "One was missed"}
    )
    assert ("succeeded", 2050, 139) == (refund["status"], refund["amount"], refund["tax"])
    read = practice.read(invoice)
    assert ("partially_refunded", 2050) == (read["status"], read["amount_refunded"])

    forgiven, voided, recorded = practice.invoice(5000), practice.invoice(6000), practice.invoice(7000)
    assert "forgiven" == practice.provider.must(200, "POST", f"/api/v1/invoices/{forgiven['id']}/forgive")["status"]
    assert "void" == practice.provider.must(200, "POST", f"/api/v1/invoices/{voided['id']}/void")["status"]
    practice.provider.must(
        201, "POST", f"/api/v1/invoices/{recorded['id']}/recorded-payments", {"method": "check", "reference": "1044"}
    )
    assert "paid" == practice.read(recorded)["status"]
    numbers = [practice.read(one)["number"] for one in (invoice, forgiven, voided, recorded)]
    assert [1, 2, 3, 4] == [int(number.rsplit("-", 1)[1]) for number in numbers], "numbers have no gaps, void ones keep theirs"

    proof = system.ledger()
    assert 0 == proof.returncode, proof.stdout + proof.stderr
    assert "balanced" in proof.stdout.splitlines()[-1]


def test_the_client_is_told_without_anything_private(system):
    """The alert in the mailbox names the practice and a link; no name, amount, number or description."""
    practice = Practice(system)
    invoice = practice.invoice(12050)
    mark = f"/invoices/{invoice['id']}"
    from tests.system import wait_until

    mail = wait_until(lambda: next((m for m in system.mails() if mark in m.as_string()), None), 20, about="the alert")
    text = mail.as_string()
    for private in ("Cleo", "120.50", "129.24", "Session on stress", invoice["number"]):
        assert private not in text
    alerts = practice.client.must(200, "GET", "/api/v1/alerts")["data"]
    assert any(invoice["id"] in alert["path"] for alert in alerts)


def test_a_declined_card_says_why_and_the_next_one_pays(system):
    """A decline is 402 with a sentence and leaves the invoice payable."""
    practice = Practice(system)
    invoice = practice.invoice()
    no = practice.pay(invoice, "4000000000009995")
    assert (402, "card_declined") == (no.status_code, no.json()["code"])
    assert 201 == practice.pay(invoice).status_code


def test_the_same_key_is_one_effect_and_the_same_bytes(system):
    """Twice with one Idempotency-Key: one charge, the same status and bytes; with another body 422."""
    practice = Practice(system)
    invoice = practice.invoice()
    first, again = (practice.pay(invoice, key="pay-once") for _ in range(2))
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert "true" == again.headers["Idempotent-Replayed"]
    assert "Idempotent-Replayed" not in first.headers
    other = practice.pay(invoice, "4000000000000002", key="pay-once")
    assert (422, "idempotency_key_reused") == (other.status_code, other.json()["code"])
    body = {"client_id": practice.client_id, "description": "Once", "amount": 100}
    one, two = (practice.provider.ask("POST", "/api/v1/invoices", body, key="make-once") for _ in range(2))
    assert one.content == two.content
    assert 201 == one.status_code == two.status_code


def test_every_sandbox_card_ends_as_its_list_says(system):
    """Approved, late, lost, silent and never charged: the payment ends as the sandbox's own books have it."""
    from tests.system import wait_until

    practice = Practice(system)
    ends = {
        "4000000000000077": "succeeded",  # after 5 s
        "4000000000000119": "succeeded",  # charged, but the answer is lost
        "4000000000000259": "failed",  # no answer and not charged
        "4000000000000341": "succeeded",  # no answer, charged 3 s later
    }
    begun = {}
    for number in ends:
        answer = practice.pay(practice.invoice(), number)
        assert answer.status_code in (201, 202), answer.text
        begun[number] = answer.json()["id"]

    def ended() -> dict | None:
        now = {
            number: practice.admin.must(200, "GET", f"/api/v1/payments/{payment}")["status"] for number, payment in begun.items()
        }
        return now if all(status in ("succeeded", "failed", "canceled") for status in now.values()) else None

    found = wait_until(ended, 60, 0.5, "every payment's end")
    assert ends == {number: ("failed" if status == "canceled" else status) for number, status in found.items()}


def test_three_d_secure_can_be_finished_or_given_up(system):
    """A card that must be authenticated answers 202 with a next action; given up, the invoice is payable again."""
    practice = Practice(system)
    invoice = practice.invoice()
    begun = practice.pay(invoice, "4000002500003155")
    assert (202, "requires_action") == (begun.status_code, begun.json()["status"])
    assert begun.json()["next_action"]["type"]
    assert 409 == practice.pay(invoice).status_code
    ended = practice.client.ask("POST", f"/api/v1/payments/{begun.json()['id']}/cancel")
    assert (200, "canceled") == (ended.status_code, ended.json()["status"])
    assert 201 == practice.pay(invoice).status_code


def test_another_practice_sees_nothing(system):
    """Another practice's ids answer 404 on every route, exactly as ids that do not exist."""
    ours, theirs = Practice(system), Practice(system)
    invoice = theirs.invoice()
    payment = theirs.pay(invoice).json()["id"]
    there = {
        "inv": invoice["id"],
        "pay": payment,
        "cli": theirs.client_id,
        "col": theirs.provider_id,
        "pcr": theirs.processor["id"],
    }
    asked = [
        ("GET", "/api/v1/invoices/{inv}", None),
        ("PATCH", "/api/v1/invoices/{inv}", {"memo": "x"}),
        ("DELETE", "/api/v1/invoices/{inv}", None),
        *[("POST", f"/api/v1/invoices/{{inv}}/{action}", {}) for action in ("send", "void", "forgive", "refunds")],
        ("POST", "/api/v1/invoices/{inv}/recorded-payments", {"method": "cash"}),
        ("GET", "/api/v1/invoices/{inv}/timeline", None),
        ("GET", "/api/v1/invoices/{inv}/explanation?of=total", None),
        ("GET", "/api/v1/payments/{pay}", None),
        ("POST", "/api/v1/payments/{pay}/check", {}),
        ("POST", "/api/v1/payments/{pay}/cancel", {}),
        ("GET", "/api/v1/clients/{cli}", None),
        ("PATCH", "/api/v1/clients/{cli}", {"name": "x"}),
        ("PATCH", "/api/v1/colleagues/{col}", {"active": False}),
        ("GET", "/api/v1/processors/{pcr}", None),
        ("PATCH", "/api/v1/processors/{pcr}", {"description": "x"}),
        ("DELETE", "/api/v1/processors/{pcr}", None),
        ("POST", "/api/v1/processors/{pcr}/check", {}),
        ("POST", "/api/v1/processors/{pcr}/activate", {}),
    ]
    nobody = {name: value[:-4] + "zzzz" for name, value in there.items()}
    for method, path, body in asked:
        answers = [ours.admin.ask(method, path.format(**ids), body) for ids in (there, nobody)]
        assert [404, 404] == [answer.status_code for answer in answers], f"{method} {path}: {[a.text for a in answers]}"
    pays = ours.client.ask("POST", f"/api/v1/invoices/{invoice['id']}/payments", {"card": card()})
    assert 404 == pays.status_code
    assert "paid" == theirs.read(invoice)["status"]


def test_who_may_not_create_invoices_sees_why(system):
    """A provider who isn't assigned gets 403 with the reason; with the service disabled nobody can, and old ones stay payable."""
    practice = Practice(system)
    old = practice.invoice()
    other, _ = practice.invite_provider()
    _, client_id = practice.invite_client(other)
    no = other.ask("POST", "/api/v1/invoices", {"client_id": client_id, "description": "x", "amount": 100})
    assert (403, "not_assigned") == (no.status_code, no.json()["code"])
    assert "assign" in no.json()["detail"]
    practice.admin.must(200, "PATCH", "/api/v1/services/client-billing", {"enabled": False})
    no = practice.provider.ask("POST", "/api/v1/invoices", {"client_id": practice.client_id, "description": "x", "amount": 100})
    assert (409, "service_disabled") == (no.status_code, no.json()["code"])
    assert 201 == practice.pay(old).status_code


def test_nobody_gets_in_without_signing_in(system):
    """Every private route answers 401 to somebody who is not signed in."""
    for path in ("/api/v1/me", "/api/v1/invoices", "/api/v1/clients", "/api/v1/processors", "/api/v1/alerts"):
        assert 401 == Person(system).ask("GET", path).status_code
