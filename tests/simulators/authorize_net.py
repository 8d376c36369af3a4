"""Authorize.net's JSON API as its documentation and schema describe it, with its own books: what our adapter is tried against.

Any login with any key is a merchant with US dollars; the first key it uses is its key from then on. Logins that begin so differ:
`refused` (E00007), `nodetails` (no Transaction Details API, E00011), `yen` (currency JPY), `testmode` (approves and makes nothing).

What decides a charge: documented triggers (ZIP 46282 declines; card codes 900 to 904 and ZIPs give the CVV and address results, of
which this merchant's filters refuse N: 65 and 27), and cards of our own, `card_for(code)`, of which each is answered with that
response code: see CARDS. Where the documentation is silent the harder guess is taken: lists hide held transactions unless asked for
them, a transaction held before authorisation can't be voided, and duplicates name the original only where a window was sent.
What a payer sees of Authorize.net are stand-ins, in `authorize_net_pages.py`; the cards it keeps are in `authorize_net_profiles.py`.
"""

import hashlib
import hmac
import json
import threading
import urllib.request
import uuid
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from tests.simulators import authorize_net_pages as pages
from tests.simulators import authorize_net_profiles as profiles
from tests.simulators.authorize_net_answers import TEXTS, Merchant, amount_text, batch_line, details, line, messages, no, reply, yes
from tests.simulators.authorize_net_schema import Unfit, must_fit_schema
from tests.simulators.stand import CHARGE, REFUND, Asked, Entry, Reply, Simulator, main

API = "/xml/v1/request.api"
DAY, HOUR = 86400.0, 3600.0
LONGEST_WINDOW, USUAL_WINDOW = 28800, 120
REFUNDABLE_FOR = 120 * DAY
AVS = {"46201": "A", "46203": "E", "46204": "G", "46205": "N", "46207": "R", "46208": "S", "46209": "U", "46211": "W", "46213": "X",
       "46214": "Y", "46217": "Z"}  # fmt: skip
CVV = {"900": "M", "901": "N", "902": "S", "903": "U", "904": "P"}

# The response codes that cards of our own bring about: (responseCode, text). 19, 20 and 120 leave a line that failed.
CARDS = {
    2: ("2", "This transaction has been declined."),
    4: ("2", "This transaction has been declined."),
    6: ("3", "The credit card number is invalid."),
    8: ("3", "The credit card has expired."),
    13: ("3", "The merchant login ID or password is invalid or the account is inactive."),
    17: ("3", "The merchant does not accept this type of credit card."),
    19: ("3", "An error occurred during processing. Please try again."),
    20: ("3", "An error occurred during processing. Please try again."),
    27: ("2", "The transaction has been declined because of an AVS mismatch."),
    36: ("3", "The authorization was approved but settlement failed."),
    41: ("2", "This transaction has been declined."),
    44: ("2", "This transaction has been declined."),
    49: ("3", "The transaction amount submitted was greater than the maximum amount allowed."),
    120: ("3", "An error occurred during processing. Please try again."),
    252: ("4", "Your order has been received. Thank you for your business!"),
    253: ("4", "Your order has been received. Thank you for your business!"),
    295: ("4", "The amount of this request was only partially approved on the given prepaid card."),
    901: ("3", "This service is currently under maintenance. Please try again later."),
    7777: ("2", "A code that is in no list."),
}


def card_for(code: int) -> str:
    """The card number that is answered with this response code (one of CARDS); its check digit is right."""
    head = f"4000000000{code:05d}"
    return head + next(digit for digit in "0123456789" if _fits(head + digit))


def _fits(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number)]
    return sum(digits[0::2] + [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]) % 10 == 0


class AuthorizeNetSimulator(Simulator):
    name = "authorize_net"

    def reset(self) -> None:
        super().reset()
        self.merchants: dict[str, Merchant] = {}
        self.batches: list[dict] = []
        self.webhooks: list[tuple[bytes, dict[str, str]]] = []  # every notification that was made: (body, headers)
        self._hidden_now: set[str] = set()
        self._next_id = 60120000000
        self.pages = pages.Pages()
        self.profiles = profiles.Profiles()

    # which verb a request is

    def verb_of(self, asked: Asked) -> str:
        if asked.path != API:
            return {"/payment/payment": "show_page", "/payment/submit": "page_charge"}.get(asked.path, "script")
        try:
            method, body = _parsed(asked)
        except ValueError:
            return "unreadable"
        if method == "createTransactionRequest":
            kind = str(body.get("transactionRequest", {}).get("transactionType"))
            return {"authCaptureTransaction": "charge", "refundTransaction": "refund", "voidTransaction": "void"}.get(kind, kind)
        if method == "getUnsettledTransactionListRequest":
            return "held_list" if body.get("status") == "pendingApproval" else "find"
        return {
            "authenticateTestRequest": "check",
            "getTransactionDetailsRequest": "details",
            "getHostedPaymentPageRequest": "open",
            "getMerchantDetailsRequest": "merchant",
            "updateHeldTransactionRequest": "review",
            "createCustomerProfileRequest": "save_customer",
            "createCustomerPaymentProfileRequest": "save_card",
            "getCustomerProfileRequest": "kept_cards",
            "deleteCustomerPaymentProfileRequest": "remove_card",
            "getSettledBatchListRequest": "batches",
            "getTransactionListRequest": "batch",
        }.get(method, method)

    def work(self, asked: Asked) -> Reply:
        if asked.path != API:
            return self._shown_to_a_payer(asked)
        if asked.method != "POST":
            return Reply(404, b"not found", "text/plain")
        if "application/json" not in asked.headers.get("content-type", ""):
            return reply(messages("E00002"))
        try:
            method, body = _parsed(asked)
            must_fit_schema(method, body)
        except Unfit as unfit:
            return reply(messages("E00003", str(unfit)))
        except ValueError:
            return reply(messages("E00003"))
        merchant = self._merchant(body["merchantAuthentication"])
        if merchant is None:
            return reply(messages("E00007"))
        return reply(self._carried_out(method, body, merchant), body.get("refId"))

    def declined(self, asked: Asked) -> Reply:
        return reply(no("2"))

    def duplicate(self, asked: Asked) -> Reply:
        return reply(no("11"))

    def _carried_out(self, method: str, body: dict, merchant: Merchant) -> dict:
        if method == "createTransactionRequest":
            return self._transaction(body["transactionRequest"], merchant)
        if method == "authenticateTestRequest":
            return messages("I00001")
        if method == "getMerchantDetailsRequest":
            return self._merchant_details(merchant)
        if method == "getHostedPaymentPageRequest":
            return self._open_page(body, merchant)
        if method == "updateHeldTransactionRequest":
            return self._reviewed(body["heldTransactionRequest"], merchant)
        if method == "createCustomerPaymentProfileRequest":
            return self._save_card(body, merchant)
        if "CustomerP" in method:
            return self.profiles.carried_out(method, body, merchant.login)
        if not merchant.details_api:
            return messages("E00011")
        reports = {
            "getUnsettledTransactionListRequest": self._unsettled,
            "getSettledBatchListRequest": self._batch_list,
            "getTransactionListRequest": self._batch,
            "getTransactionDetailsRequest": self._details,
        }
        return reports[method](body, merchant)

    def _merchant(self, given: dict) -> Merchant | None:
        login, key = given["name"], given["transactionKey"]
        if login.startswith("refused"):
            return None
        made = Merchant(login, key, "JPY" if login.startswith("yen") else "USD", not login.startswith("nodetails"),
                        login.startswith("testmode"))  # fmt: skip
        merchant = self.merchants.setdefault(login, made)
        return merchant if merchant.key == key else None

    # transactions

    def _transaction(self, asked: dict, merchant: Merchant) -> dict:
        kind = asked["transactionType"]
        if kind == "voidTransaction":
            return self._void(asked, merchant)
        if opaque := asked.get("payment", {}).get("opaqueData"):
            card = self.pages.card_of(opaque, merchant.login, self.now())
            if card is None:
                return messages("E00114")
            asked = _with_card(asked, card)
        if "profile" in asked:
            card = self.profiles.card_of(asked["profile"], merchant.login)
            if "billTo" in asked or "payment" in asked:
                return messages("E00093" if "billTo" in asked else "E00013", "A profile comes alone.")
            if card is None:
                return messages("E00040")
            asked = _with_card(asked, card)
        try:
            amount = Decimal(str(asked.get("amount")))
        except InvalidOperation:
            return messages("E00003")
        if asked.get("currencyCode", merchant.currency) != merchant.currency:
            return no("39")
        if amount <= 0 or amount.scaleb(merchant.places) % 1:
            return no("5")
        return self._charge(asked, merchant) if kind == "authCaptureTransaction" else self._refund(asked, merchant)

    def _save_card(self, body: dict, merchant: Merchant) -> dict:
        """The card, or the one that a token stands for, goes through their check without a bank, and is kept."""
        given = body["paymentProfile"]
        card = given.get("payment", {}).get("creditCard")
        if opaque := given.get("payment", {}).get("opaqueData"):
            card = self.pages.card_of(opaque, merchant.login, self.now())
            if card is None:
                return messages("E00114")
        if card is None or body.get("validationMode") != "testMode":
            return messages("E00013", "The simulator keeps cards, and knows no validation but testMode.")
        number = card["cardNumber"]
        problem = "6" if not (number.isdigit() and _fits(number)) else "8" if self._past(card["expirationDate"]) else None
        brand = _brand(number)
        zip_code = card.get("zip") or given.get("billTo", {}).get("zip", "")
        return self.profiles.keep(body["customerProfileId"], merchant.login, {**card, "zip": zip_code}, brand, problem)

    def _charge(self, asked: dict, merchant: Merchant) -> dict:
        card, bill = asked["payment"]["creditCard"], asked.get("billTo", {})
        number, avs, cvv = card["cardNumber"], AVS.get(bill.get("zip", ""), "Y"), CVV.get(card.get("cardCode", ""), "P")
        seen = {"accountNumber": "XXXX" + number[-4:], "accountType": _brand(number), "avsResultCode": avs, "cvvResultCode": cvv}
        if not (number.isdigit() and _fits(number)):
            return no("6", **seen)
        if self._past(card["expirationDate"]):
            return no("8", **seen)
        if merchant.test_mode:
            return yes("1", "1", "This transaction has been approved.", transId="0", testRequest="1", **seen)
        if original := self._duplicate_of(asked, merchant):
            named = {"transId": original.id, "authCode": original.more["auth"]} if _settings(asked).get("duplicateWindow") else {}
            return no("11", **{**seen, **named})
        code = int(number[10:15]) if number.startswith("4000000000") and int(number[10:15]) in CARDS else 0
        code = code or (2 if bill.get("zip") == "46282" else 65 if cvv == "N" else 27 if avs == "N" else 0)
        return self._decided(code, asked, merchant, seen)

    def _decided(self, code: int, asked: dict, merchant: Merchant, seen: dict) -> dict:
        """Book what this code means, and answer it."""
        family, text = CARDS.get(code, ("2", TEXTS["65"])) if code else ("1", "This transaction has been approved.")
        amount = merchant.minor(asked["amount"])
        status = {"1": "approved", "2": "declined", "3": "error", "4": "held"}[family]
        if code == 295:
            amount, status = amount // 2, "approved"
        if family == "3" and code not in (19, 20, 120):
            return no(str(code), text, **seen)
        entry = self._enter(CHARGE, asked, merchant, amount, status, code or 1, seen)
        said = {**seen, "transId": entry.id, "authCode": entry.more["auth"] if family in "14" and code != 252 else ""}
        if family in "14":
            self._notify(merchant, "fraud.held" if status == "held" else "authcapture.created", entry)
            prepaid = {
                "requestedAmount": str(asked["amount"]),
                "approvedAmount": amount_text(merchant, amount),
                "balanceOnCard": "0.00",
            }
            more = {"splitTenderId": "1" + entry.id[-6:], "prePaidCard": prepaid} if code == 295 else {}
            return yes(family, str(code or 1), text, **said, **more)
        return no(str(code), text, family, **{**said, "transId": entry.id if family == "2" else "0"})

    def _refund(self, asked: dict, merchant: Merchant) -> dict:
        """A linked credit: of a settled charge of the same card, within its time, and never more than is left."""
        card = asked["payment"]["creditCard"]
        charge = self._entry(asked.get("refTransId"), merchant)
        seen = {"accountNumber": "XXXX" + card["cardNumber"][-4:], "accountType": "Visa"}
        if charge is None or charge.kind != CHARGE:
            return no("16", **seen)
        if original := self._duplicate_of(asked, merchant):
            return no("11", **{**seen, "transId": original.id})
        fits = card["cardNumber"][-4:] == charge.more["last4"] and card["expirationDate"] == "XXXX"
        if not (
            fits and charge.status == "approved" and charge.settled and self.now() - charge.more["settled_at"] < REFUNDABLE_FOR
        ):
            return no("54", **seen)
        given = sum(entry.amount for entry in self.entries if entry.of == charge.id and entry.status == "approved")
        amount = merchant.minor(asked["amount"])
        if given + amount > charge.amount:
            return no("55", **seen)
        seen["accountType"] = charge.more["brand"]
        entry = self._enter(REFUND, asked, merchant, amount, "approved", 1, {**seen, "avsResultCode": "P"}, of=charge.id)
        self._notify(merchant, "refund.created", entry)
        return yes("1", "1", "This transaction has been approved.", transId=entry.id, **seen)

    def _void(self, asked: dict, merchant: Merchant) -> dict:
        entry = self._entry(asked.get("refTransId"), merchant)
        if entry is None or entry.status in ("declined", "error"):
            return no("16", refTransID=str(asked.get("refTransId", "")))
        said = {"transId": entry.id, "refTransID": entry.id, "accountNumber": "XXXX" + entry.more["last4"],
                "accountType": entry.more["brand"], "authCode": entry.more["auth"]}  # fmt: skip
        if entry.status == "voided":
            return yes("1", "310", "This transaction has already been voided.", **said)
        if entry.settled or entry.more["reason"] == 252:
            return no("327", refTransID=entry.id)
        entry.status = "voided"
        self._notify(merchant, "void.created", entry)
        return yes("1", "1", "This transaction has been approved.", **said)

    def _reviewed(self, asked: dict, merchant: Merchant) -> dict:
        entry = self._entry(asked.get("refTransId"), merchant)
        if entry is None or entry.status != "held":
            return no("16")
        self._review(entry, asked["action"] == "approve")
        return yes("1", "1", "This transaction has been approved.", transId=entry.id, refTransID=entry.id)

    def _review(self, entry: Entry, approve: bool) -> None:
        entry.status, entry.more["reason"] = ("approved", 1) if approve else ("declined", 254)
        self._notify(self.merchants[entry.merchant], "fraud.approved" if approve else "fraud.declined", entry)

    def review(self, approve: bool, reference: str | None = None) -> int:
        """The merchant decides about what is held: all of it, or one. How many there were."""
        with self.lock:
            held = [entry for entry in self.entries if entry.status == "held" and reference in (None, entry.reference)]
            for entry in held:
                self._review(entry, approve)
            return len(held)

    def _enter(
        self, kind: str, asked: dict, merchant: Merchant, amount: int, status: str, reason: int, seen: dict, of: str = ""
    ) -> Entry:
        self._next_id += 1
        more = {"last4": seen["accountNumber"][-4:], "brand": seen["accountType"], "reason": reason,
                "auth": f"A{self._next_id % 99999:05d}", "avs": seen["avsResultCode"], "compared": _compared(asked, merchant),
                "options": asked.get("processingOptions")}  # fmt: skip
        reference = asked.get("order", {}).get("invoiceNumber", "")
        its_id = str(self._next_id)
        return self.book(
            Entry(its_id, kind, reference, amount, merchant.currency, merchant.login, status, self.now(), of, more=more)
        )

    def _entry(self, its_id: str | None, merchant: Merchant) -> Entry | None:
        return next((entry for entry in self.entries if (entry.id, entry.merchant) == (its_id, merchant.login)), None)

    def _duplicate_of(self, asked: dict, merchant: Merchant) -> Entry | None:
        """An accepted transaction inside the window with which every compared field agrees, the window among them."""
        window = min(int(_settings(asked).get("duplicateWindow", USUAL_WINDOW)), LONGEST_WINDOW)
        compared = _compared(asked, merchant)
        for entry in self.entries:
            same = entry.more["compared"] == compared and entry.status in ("approved", "held")
            if same and 0 <= self.now() - entry.at < window:
                return entry
        return None

    def _past(self, expiry: str) -> bool:
        today = datetime.fromtimestamp(self.now(), UTC)
        return expiry < f"{today.year:04d}-{today.month:02d}"

    # what a payer sees

    def _open_page(self, body: dict, merchant: Merchant) -> dict:
        try:
            return {"token": self.pages.open(body, merchant.login, self.now()), **messages("I00001")}
        except pages.Unfit as unfit:
            return messages("E00013", str(unfit))

    def _shown_to_a_payer(self, asked: Asked) -> Reply:
        path, form = asked.path.split("?")[0], pages.form_in(asked)
        if (asked.method, path) == ("GET", "/v3/AcceptUI.js"):
            return pages.script(self.url)
        if (asked.method, path) == ("GET", "/v3/acceptMain/acceptMain.html"):
            return pages.frame()
        if (asked.method, path) == ("POST", "/v3/acceptMain/token"):
            return Reply(200, json.dumps(self._token_for(form)).encode())
        if asked.method == "POST" and path in ("/payment/payment", "/payment/submit"):
            token = form.get("token", "")
            page = self.pages.page(token, self.now())
            if page is None:
                return pages.no_page()
            return self._paid_on(token, page, form) if path.endswith("submit") else pages.page_of(token, page)
        return Reply(404, b"not found", "text/plain")

    def _token_for(self, form: dict) -> dict:
        """What the window's frame is told: a token in place of the card, or what is wrong with it."""
        merchant = self.merchants.get(form.get("apiLoginID", ""))
        if merchant is None or merchant.client_key != form.get("clientKey"):
            return messages("E_WC_21", "User authentication failed due to invalid authentication values.")
        card = pages.card_in(form)
        if not (card["cardNumber"].isdigit() and _fits(card["cardNumber"])):
            return messages("E_WC_05", "Please provide valid credit card number.")
        token = self.pages.keep({**card, "zip": form.get("zip", "")}, merchant.login, self.now())
        return {
            "opaqueData": {"dataDescriptor": "COMMON.ACCEPT.INAPP.PAYMENT", "dataValue": token},
            **messages("I_WC_01", "Successful."),
        }

    def _paid_on(self, token: str, page: pages.Page, form: dict) -> Reply:
        """A try on the page: accepted or held it ends and goes back, refused it stays and says so."""
        bill = {"billTo": {"zip": form["zip"]}} if form.get("zip") else {}
        asked = {**page.transaction, "payment": {"creditCard": pages.card_in(form)}, **bill}
        said = self._transaction(asked, self.merchants[page.login]).get("transactionResponse", {})
        if said.get("responseCode") in ("1", "4"):
            page.paid = True
            return pages.back_to(page.back)
        text = said["errors"][0]["errorText"] if said.get("errors") else "An error occurred. Please try again."
        return pages.page_of(token, page, text)

    # reports

    def _merchant_details(self, merchant: Merchant) -> dict:
        said = {
            "isTestMode": merchant.test_mode,
            "merchantName": "A merchant",
            "gatewayId": "565697",
            "publicClientKey": merchant.client_key,
            "currencies": [merchant.currency],
        }
        return {**said, **messages("I00001")}

    def _unsettled(self, body: dict, merchant: Merchant) -> dict:
        held = body.get("status") == "pendingApproval"
        if held:
            visible = [entry for entry in self.entries if not self.hidden.get(entry.id)]
        else:
            visible = self.shown()
            self._hidden_now = {entry.id for entry in self.entries} - {entry.id for entry in visible}
        open_ones = [entry for entry in visible if "batch" not in entry.more and (entry.status == "held") == held]
        return self._page(open_ones, body, merchant)

    def _batch_list(self, body: dict, merchant: Merchant) -> dict:
        last = _moment(body["lastSettlementDate"]) if "lastSettlementDate" in body else self.now()
        first = _moment(body["firstSettlementDate"]) if "firstSettlementDate" in body else last - DAY
        if last < first or last - first > 31 * DAY:
            return messages("E00013")
        # a stamp names whole seconds
        ours = [batch for batch in self.batches if batch["merchant"] == merchant.login and first <= int(batch["at"]) <= last]
        if not ours:
            return messages("I00004")
        counted = body.get("includeStatistics") in (True, "true")
        listed = [batch_line(batch, self._inside(batch) if counted else None, merchant) for batch in ours]
        return {"batchList": listed, **messages("I00001")}

    def _inside(self, batch: dict) -> list[Entry]:
        return [entry for entry in self.entries if entry.more.get("batch") == batch["id"]]

    def _batch(self, body: dict, merchant: Merchant) -> dict:
        inside = [
            entry for entry in self.entries if entry.more.get("batch") == body.get("batchId") and entry.id not in self._hidden_now
        ]
        return self._page(inside, body, merchant)

    def _page(self, entries: list[Entry], body: dict, merchant: Merchant) -> dict:
        paging = body.get("paging", {"limit": "1000", "offset": "1"})
        limit, page = int(paging["limit"]), int(paging["offset"])
        if not (1 <= limit <= 1000 and 1 <= page <= 100000):
            return messages("E00003")
        ours = sorted((entry for entry in entries if entry.merchant == merchant.login), key=lambda entry: (entry.at, entry.id))
        if body.get("sorting", {}).get("orderDescending") in (True, "true"):
            ours.reverse()
        lines = [line(entry, merchant) for entry in ours[(page - 1) * limit : page * limit]]
        return {"transactions": lines, **messages("I00001")} if lines else messages("I00004")

    def _details(self, body: dict, merchant: Merchant) -> dict:
        entry = self._entry(body.get("transId"), merchant)
        if entry is None or self.hidden.get(entry.id):
            return messages("E00040")
        batch = next((batch for batch in self.batches if batch["id"] == entry.more.get("batch")), None)
        return {"transaction": details(entry, batch, merchant), **messages("I00001")}

    # settlement, notifications, commands

    def settle(self) -> int:
        """The cut-off: of each merchant all that is not held goes into a batch; within an hour into the same one, as there is one a day."""
        settled = super().settle()
        open_ones = [entry for entry in self.entries if "batch" not in entry.more and entry.status != "held"]
        for login in {entry.merchant for entry in open_ones}:
            last = next((one for one in reversed(self.batches) if one["merchant"] == login), None)
            if last is None or self.now() - last["at"] > HOUR:
                last = {"id": str(3990000 + len(self.batches)), "at": self.now(), "merchant": login}
                self.batches.append(last)
            batch = last
            for entry in open_ones:
                if entry.merchant == login:
                    entry.more |= {"batch": batch["id"], "settled_at": batch["at"]}
        return settled

    def _notify(self, merchant: Merchant, event: str, entry: Entry) -> None:
        """Make the notification; send it where the merchant has a URL. Held ones and voids name no invoice number."""
        named = {} if event.startswith(("fraud", "void")) else {"invoiceNumber": entry.reference}
        payload = {"responseCode": 4 if entry.status == "held" else 1, "authCode": entry.more["auth"], "avsResponse": entry.more["avs"],
                   "authAmount": merchant.number(entry.amount), **named, "entityName": "transaction", "id": entry.id}  # fmt: skip
        at = datetime.fromtimestamp(self.now(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"
        told = {"notificationId": str(uuid.uuid4()), "eventType": f"net.authorize.payment.{event}", "eventDate": at,
                "webhookId": "849eb87e-078a-4169-a34b-c0bded5019a8", "payload": payload}  # fmt: skip
        body = json.dumps(told, separators=(",", ":")).encode()
        signature = hmac.new(merchant.signature_key.encode(), body, hashlib.sha512).hexdigest().upper()
        self.webhooks.append((body, {"X-ANET-Signature": f"sha512={signature}", "Content-Type": "application/json"}))
        if merchant.webhook_url:
            threading.Thread(target=self._deliver, args=(merchant.webhook_url, len(self.webhooks) - 1), daemon=True).start()

    def _deliver(self, url: str, number: int) -> int:
        body, headers = self.webhooks[number]
        request = urllib.request.Request(url, data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status)
        except OSError:
            return 0

    def command(self, asked: Asked) -> Reply:
        """Besides the stand's: `review` {approve, reference?}, `webhook` {login, url, signature_key}, `deliver` {url, number}."""
        what = asked.path.removeprefix("/_simulator/").split("?")[0]
        given = json.loads(asked.body or b"{}")
        if what == "review":
            return Reply(200, json.dumps(self.review(**given)).encode())
        if what == "webhook":
            merchant = self.merchants[given.pop("login")]
            merchant.webhook_url, merchant.signature_key = given["url"], given["signature_key"]
            return Reply(200, b"null")
        if what == "deliver":
            return Reply(200, json.dumps(self._deliver(given["url"], given["number"])).encode())
        return super().command(asked)


def _parsed(asked: Asked) -> tuple[str, dict]:
    whole = json.loads(asked.body)
    if not isinstance(whole, dict) or len(whole) != 1:
        raise ValueError("one method is asked for")
    [(method, body)] = whole.items()
    if not isinstance(body, dict):
        raise ValueError("a method has fields")
    return method, body


def _with_card(asked: dict, card: dict) -> dict:
    """A transaction with the card that a token or a profile stands for, and the postal code that came with it."""
    plain = {name: value for name, value in card.items() if name != "zip"}
    return {**asked, "payment": {"creditCard": plain}, **({"billTo": {"zip": card["zip"]}} if card.get("zip") else {})}


def _settings(asked: dict) -> dict:
    settings = asked.get("transactionSettings", {}).get("setting", [])
    return {setting["settingName"]: setting["settingValue"] for setting in settings}


def _compared(asked: dict, merchant: Merchant) -> str:
    """The fields that the duplicate check compares, as one opaque text: the books hold no card."""
    card, bill = asked.get("payment", {}).get("creditCard", {}), asked.get("billTo", {})
    names = ("firstName", "lastName", "company", "address", "city", "state", "zip", "country")
    fields = [merchant.login, card.get("cardNumber"), card.get("expirationDate"), asked["transactionType"], asked.get("poNumber"),
              str(Decimal(str(asked.get("amount"))).normalize()), asked.get("order", {}).get("invoiceNumber"),
              asked.get("customer", {}).get("id"), *[bill.get(name) for name in names], 
              _settings(asked).get("duplicateWindow")]  # fmt: skip
    return hashlib.sha256(json.dumps(fields).encode()).hexdigest()


def _brand(number: str) -> str:
    heads = {"4": "Visa", "5": "MasterCard", "2": "MasterCard", "3": "AmericanExpress", "6": "Discover"}
    return heads.get(number[:1], "")


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


if __name__ == "__main__":
    main(AuthorizeNetSimulator)
