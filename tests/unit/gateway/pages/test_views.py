"""The pages over HTTP: what each role is shown, forms that are drawn again, CSRF, and that no secret comes back."""

import re

import pytest

from shared.contracts.invoicing import Invoicing
from shared.contracts.processors import Processors
from shared.faults import Invalid, Refused, Unreachable
from shared.ids import new_id
from tests.unit.gateway.pages.browser import Browser, invoice
from tests.unit.gateway.scripted import sample
from tests.unit.gateway.world import PASSWORD

CARD = {"card-number": "4000 0000 0000 0002", "card-exp_month": "12", "card-exp_year": "31", "card-cvc": "123", "card-name": "Cleo"}
IDS = dict(invoice_id="inv", payment_id="pay", refund_id="rfd", processor_id="proc", alert_id="alr", delivery_id="dlv")


def test_signing_up_in_the_browser_leads_to_the_first_steps(world):
    """Sign-up signs in at once and shows the checklist with a message, once."""
    browser = Browser(world)
    summary = {**sample(Invoicing.read_summary.gives), "sent": 0, "invoices": 0}
    world.bus.script(Invoicing.read_summary, summary)
    answer = browser.fills("/sign-up", practice_name="Quiet Room", name="Ada", email="ada@room.example", password=PASSWORD)
    assert (303, "/billing") == (answer.status_code, answer.location)
    browser.opens("/billing")
    assert "First steps" in browser.page
    assert 'role="status"' in browser.page
    browser.opens("/billing")
    assert 'role="status"' not in browser.page


def test_a_wrong_password_keeps_the_address_and_never_the_password(world):
    """Signing in with a wrong password is drawn again with the address typed, status 401, and without the password."""
    world.admin()
    browser = Browser(world)
    answer = browser.fills("/sign-in", email="ada@practice.example", password="not-the-password-at-all")
    assert 401 == answer.status_code
    assert 'value="ada@practice.example"' in browser.page
    assert "not-the-password-at-all" not in browser.page


def test_signing_in_goes_on_to_what_was_wanted_and_never_elsewhere(world):
    """Who is not signed in comes back to the page they asked for; an address of somebody else is not followed."""
    world.admin()
    browser = Browser(world)
    assert browser.opens("/clients?q=x").location.startswith("/sign-in?next=")
    typed = {"email": "ada@practice.example", "password": PASSWORD}
    assert "/clients?q=x" == browser.fills("/sign-in?next=/clients?q%3Dx", **typed).location
    for elsewhere in ("//evil.example", "https://evil.example", "/\\evil.example", "\\/evil.example"):
        assert "/billing" == Browser(world).fills("/sign-in?next=" + elsewhere, **typed).location


def test_a_form_without_its_csrf_token_changes_nothing(admin):
    """A POST without the token is refused with 403 and reaches no service."""
    before = len(admin.world.bus.made(Processors.add_processor))
    assert 403 == admin.sends("/billing/setup/processors", type="sandbox", description="x").status_code
    assert before == len(admin.world.bus.made(Processors.add_processor))


def test_credentials_are_never_drawn_again(admin):
    """A processor that is refused is drawn again with its description; the secret is not in the page."""
    types = sample(Processors.list_types.gives)
    need = {**types["data"][0]["fields"][0], "name": "secret_key", "label": "Secret key", "secret": True, "choices": None}
    types["data"] = [{**types["data"][0], "type": "stripe", "title": "Stripe", "fields": [need]}]
    admin.world.bus.script(Processors.list_types, types)
    errors = [{"field": "credentials.secret_key", "message": "Stripe refuses it."}]
    admin.world.bus.script(Processors.add_processor, Invalid("processor_credentials_refused", "No.", errors=errors))
    typed = {"description": "Main account", "type": "stripe", "credentials-secret_key": "sk_test_canary"}
    answer = admin.fills("/billing/setup/processors", at="/billing/setup", **typed)
    assert 422 == answer.status_code
    assert 'value="Main account"' in admin.page
    assert "Secret key: Stripe refuses it." in admin.page
    assert 'href="#credentials-secret_key"' in admin.page
    assert "sk_test_canary" not in admin.page


def test_a_choice_among_credentials_begins_with_none(admin):
    """Nothing is chosen until the admin chooses, so that replacing a PIN can't change the mode unseen."""
    types = sample(Processors.list_types.gives)
    need = {**types["data"][0]["fields"][0], "name": "mode", "label": "Mode", "secret": False, "choices": ["live", "demo"]}
    types["data"] = [{**types["data"][0], "type": "elavon", "title": "Elavon", "fields": [need]}]
    admin.world.bus.script(Processors.list_types, types)
    admin.world.bus.script(Processors.add_processor, Invalid("processor_credentials_refused", "No."))
    admin.fills("/billing/setup/processors", at="/billing/setup", description="Main", type="elavon")
    drawn = admin.page[admin.page.index('name="credentials-mode"') :]
    drawn = drawn[: drawn.index("</select>")]
    assert ["", "live", "demo"] == re.findall('<option value="([^"]*)"', drawn)


def test_a_declined_card_is_told_and_forgotten(client):
    """A decline shows its sentence with status 402 and an empty card form under a new key."""
    invoice_id = invoice(client.world, client)
    entry = {**sample(Processors.read_card_entry.gives), "available": True, "card_entry": "direct", "form": None, "sources": {}}
    client.world.bus.script(Processors.read_card_entry, entry)
    client.world.bus.script(Invoicing.pay_invoice, Refused("insufficient_funds", "The card has not enough money."))
    answer = client.fills(f"/invoices/{invoice_id}/pay", **CARD)
    assert 402 == answer.status_code
    assert "The card has not enough money." in client.page
    assert "4000 0000 0000 0002" not in client.page
    assert 'value="Cleo"' in client.page


def test_the_same_form_sent_twice_carries_one_key(client):
    """Pressing twice sends the same idempotency key with the same fingerprint, so that invoicing charges once."""
    invoice_id = invoice(client.world, client)
    client.world.bus.script(Processors.read_card_entry, {**sample(Processors.read_card_entry.gives), "available": True})
    client.opens(f"/invoices/{invoice_id}/pay")
    hidden = dict(re.findall(r'name="(csrf_token|idempotency_key)" value="([^"]*)"', client.page))
    for _ in range(2):
        client.sends(f"/invoices/{invoice_id}/pay", **hidden, **CARD)
    first, second = [caller.key for call, _, caller in client.world.bus.asked if call is Invoicing.pay_invoice]
    assert first == second
    assert hidden["idempotency_key"] == first.value


def test_a_service_that_does_not_answer_keeps_what_was_typed_and_the_key(admin):
    """Where invoicing can't be reached the form is drawn again with everything in it, the same key, and 503."""
    staff = admin.world.visitor().signs_in("ada@practice.example")
    client_id = staff.must("POST", "/clients", 201, json={"name": "Cleo", "email": "c@x.example"})["id"]
    admin.world.bus.script(Invoicing.create_invoice, Unreachable())
    path = f"/clients/{client_id}/billing/create"
    answer = admin.fills(path, description="Session", amount="120.50", send="true")
    assert 503 == answer.status_code
    assert 'value="Session"' in admin.page
    assert 'value="120.50"' in admin.page
    key = next(caller.key for call, _, caller in admin.world.bus.asked if call is Invoicing.create_invoice)
    assert f'value="{key.value}"' in admin.page


def test_an_unknown_payment_asks_not_to_pay_again(client):
    """While a payment is unknown the pay page has no card form; it says not to pay again and follows along, without script too."""
    payment = {**sample(Invoicing.read_payment.gives), "status": "unknown"}
    invoice_id = invoice(client.world, client, payments=[payment], allowed_actions=[])
    client.opens(f"/invoices/{invoice_id}/pay")
    assert "Please don't pay again: you won't be charged twice." in client.page
    assert "card-number" not in client.page
    path = f"/invoices/{invoice_id}/pay"  # named, or a page with a # in its address would stay as it is
    assert f'<noscript><meta http-equiv="refresh" content="3; url={path}"></noscript>' in client.page


BANKS = [("https://bank.example/3ds", True), ("javascript:alert(1)", False), ("//bank.example", False), (None, False)]


@pytest.mark.parametrize(("url", "linked"), BANKS)
def test_only_a_safe_address_of_the_bank_is_linked(client, url, linked):
    """The payer is sent on to https addresses and the sandbox's own page, to nothing else."""
    payment = {**sample(Invoicing.read_payment.gives), "status": "requires_action", "next_action": {"type": "redirect", "url": url}}
    invoice_id = invoice(client.world, client, payments=[payment], allowed_actions=[])
    client.opens(f"/invoices/{invoice_id}/pay")
    assert linked == ("Continue to your bank</a>" in client.page)
    assert not url or linked or url not in client.page


def test_a_client_sees_no_staff_pages_and_no_memo(client):
    """Staff pages are 403 for a client, and the internal memo of an invoice is not in the page."""
    for path in ("/billing", "/billing/setup", "/clients", "/colleagues", "/worklist", "/practice", "/services"):
        assert 403 == client.opens(path).status_code
    invoice_id = invoice(client.world, client, memo="a private memo")
    client.opens(f"/invoices/{invoice_id}")
    assert "a private memo" not in client.page


def _ids() -> dict[str, str]:
    return {name: new_id(prefix) for name, prefix in IDS.items()}


def _rules(world, method: str) -> list:
    """The addresses of the pages that take this method."""
    return [rule for rule in world.app.url_map.iter_rules() if rule.endpoint.startswith("pages.") and method in rule.methods]


def test_every_page_opens_for_an_admin_without_anything_forbidden_inside(world, admin):
    """Each page answers 200 (or leads on), keeps to the security policy and is never stored by a browser."""
    staff = world.visitor().signs_in("ada@practice.example")
    ids = _ids()
    ids["client_id"] = staff.must("POST", "/clients", 201, json={"name": "Cleo", "email": "c@x.example"})["id"]
    ids["colleague_id"] = staff.must("GET", "/colleagues", 200)["data"][0]["id"]
    world.bus.knows(admin.practice_id, *ids.values())
    actions = ["edit", "delete", "send", "record_payment", "forgive", "void", "refund"]
    paid = {**sample(Invoicing.read_payment.gives), "status": "succeeded"}
    more = {"allowed_actions": actions, "payments": [paid]}
    world.bus.script(Invoicing.read_invoice, {**sample(Invoicing.read_invoice.gives), **more})
    for rule in _rules(world, "GET"):
        values = {name: ids.get(name, "a-token-that-nobody-made") for name in rule.arguments}
        answer = admin.opens(rule.build(values)[1])
        not_an_admins = "token" in values or rule.endpoint in (
            "pages.pay",
            "pages.pay_return",
            "pages.authentication",
            "pages.own_cards",
            "pages.remove_card",
            "pages.remove_card_of",
            "pages.charge_card",
        )
        expected = {200, 303, 403, 404} if not_an_admins else {200, 303}
        assert answer.status_code in expected, (rule.rule, answer.status_code)
        assert "no-store" == answer.headers["Cache-Control"]
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=\"", admin.page)
        assert "Traceback" not in admin.page
        assert 1 == len(re.findall(r"<h1\b", admin.page))


def test_every_form_bears_nonsense(world, admin):
    """Whatever is sent to any form is answered with a page, never with a server error."""
    ids = _ids()
    world.bus.knows(admin.practice_id, *ids.values())
    admin.opens("/practice")
    token = re.search(r'name="csrf_token" value="([^"]*)"', admin.page)[1]
    names = ["amount", "rate", "lines-0-unit_amount", "lines-0-quantity", "email", "roles", "type", "method"]
    names += ["requirement", "due_date", "terms_days"]
    for nonsense in ("", "\x00", "9" * 400, "-1", "<script>", "\u202e"):
        for rule in _rules(world, "POST"):
            if rule.endpoint in ("pages.sign_out", "pages.switch_role", "pages.sign_in"):
                continue
            path = rule.build({name: ids.get(name, nonsense.strip() or "x") for name in rule.arguments})[1]
            answer = admin.sends(path, csrf_token=token, idempotency_key="k", **dict.fromkeys(names, nonsense))
            assert answer.status_code < 500 or answer.status_code == 503, (rule.rule, nonsense, answer.status_code)
            assert "<script>" not in admin.page


def test_a_payment_that_waits_for_the_bank_says_whose_turn_it_is(world, client):
    """The payer reads that it waits for them, staff that it waits for the payer; nobody reads that we are checking."""
    payment = {**sample(Invoicing.read_payment.gives), "status": "requires_action"}
    more = {"status": "processing", "live_payment_status": "requires_action", "payments": [payment], "allowed_actions": []}
    invoice_id = invoice(world, client, **more)
    staff = Browser(world, "ada@practice.example")
    for browser, words in ((client, "Waiting for you"), (staff, "Waiting for the payer")):
        browser.opens(f"/invoices/{invoice_id}")
        assert words in browser.page
        assert "Checking with processor" not in browser.page


def test_the_clients_own_provider_is_chosen_already(world, admin):
    """An admin who creates an invoice finds the client's provider chosen, where it is one and assigned to the service."""
    staff = world.visitor().signs_in("ada@practice.example")
    for name in ("pia", "paul"):
        world.provider(staff, f"{name}@practice.example")
    providers = [one["id"] for one in staff.must("GET", "/colleagues?role=provider", 200)["data"]]
    offered = {**sample(Invoicing.read_service.gives), "enabled": True, "may_create": True, "provider_ids": providers}
    world.bus.script(Invoicing.read_service, offered)
    body = {"name": "Cleo", "email": "c@x.example", "provider_ids": providers[1:2]}
    client_id = staff.must("POST", "/clients", 201, json=body)["id"]
    admin.opens(f"/clients/{client_id}/billing/create")
    assert [providers[1]] == re.findall(r'<option value="([^"]+)" selected', admin.page)


def test_a_wrong_choice_of_boxes_is_named_by_their_group(world, admin):
    """The summary of problems names a group of tick boxes by its legend, not by the last box in it."""
    answer = admin.fills("/colleagues/new", name="Lin", email="lin@practice.example")
    assert 422 == answer.status_code
    assert re.search(r'<a href="#roles">Roles: ', admin.page)


def test_few_invoices_need_no_filters(world, client):
    """A client with a handful of invoices sees no filters; who filtered sees them, with nothing found too."""
    one = {**sample(Invoicing.list_invoices.gives)["data"][0], "client": {"id": client.member_id, "name": "Cleo"}}
    world.bus.script(Invoicing.list_invoices, {"data": [one] * 5, "next_cursor": None})
    assert "Filter invoices" not in client.opens("/invoices").get_data(as_text=True)
    world.bus.script(Invoicing.list_invoices, {"data": [], "next_cursor": None})
    assert "Filter invoices" in client.opens("/invoices?status=void").get_data(as_text=True)


def _in_review(world, admin) -> str:
    """A payment in review on the work list, with its evidence."""
    payment_id = new_id("pay")
    item = {
        **sample(Invoicing.list_work.gives)["data"][0],
        "kind": "payment", "id": payment_id, "status": "review", "amount": 12924, "currency": "USD",
    }  # fmt: skip
    finding = {**item, "kind": "finding", "id": new_id("fnd"), "status": "orphan", "invoice_id": None, "client": None}
    world.bus.knows(admin.practice_id, payment_id, finding["id"])
    world.bus.script(Invoicing.list_work, {"data": [item, finding], "next_cursor": None})
    known = {**sample(Processors.read_evidence.gives)["data"][0], "id": payment_id, "account": "Main", "look_ups": 9}
    world.bus.script(Processors.read_evidence, {"data": [known]})
    return payment_id


def test_the_work_list_shows_the_evidence_and_the_way_out(world, admin):
    """What is known stands beside what to do; a payment in review leads to the page with the two buttons."""
    payment_id = _in_review(world, admin)
    admin.opens("/worklist")
    for words in ("account “Main”", "looked for 9 times", "Unknown here", f"/payments/{payment_id}/settle"):
        assert words in admin.page
    admin.opens(f"/payments/{payment_id}/settle")
    assert 'value="happened">It happened' in admin.page
    assert 'value="did_not_happen">It did not happen' in admin.page


def test_a_word_without_a_reason_is_asked_for_it(world, admin):
    """Said without a reason, the form comes back naming the field; with one it is passed on, and the list follows."""
    payment_id = _in_review(world, admin)
    admin.opens(f"/payments/{payment_id}/settle")
    token = re.search(r'name="csrf_token" value="([^"]*)"', admin.page)[1]
    sent = {"csrf_token": token, "idempotency_key": "k1", "outcome": "happened"}
    assert 422 == admin.sends(f"/payments/{payment_id}/settle", **sent).status_code
    assert 'id="reason-wrong"' in admin.page
    answer = admin.sends(f"/payments/{payment_id}/settle", **sent, reason="Seen in its dashboard")
    assert (303, "/worklist") == (answer.status_code, answer.headers["Location"])
    (word,) = world.bus.made(Invoicing.settle_payment)
    assert ("happened", "Seen in its dashboard") == (word.outcome, word.reason)
