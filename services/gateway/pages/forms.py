"""From a form to the public API's JSON and back: kinds of fields, what was typed, and errors beside their field."""

import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from hashlib import sha256
from typing import Any

from werkzeug.datastructures import MultiDict

from services.gateway.pages.plainly import plainly
from shared.caller import IdempotencyKey
from shared.faults import Fault, Invalid
from shared.fields import plain
from shared.ids import new_id
from shared.money import from_text, to_text

# Never drawn again after it was typed, whatever a template asks for.
SECRET = re.compile(r"password|card-(number|cvc|exp_month|exp_year)$|totp|secret|^token$")
SENT_BEFORE = (
    "This form was sent before, with something else in it. Look at what came of that; if it still needs sending, send it again."
)
UNTOUCHED = object()  # a field that the form does not have or that was left empty: it stays out of the body

Kind = Callable[["Reading", str], Any]


class Reading:
    """One pass over a form's fields; gathers the errors that only a form can make, such as an amount that isn't one."""

    def __init__(self, typed: MultiDict[str, str], currency: str):
        self.typed, self.currency = typed, currency
        self.errors: list[dict[str, str]] = []
        self.groups: set[str] = set()

    def text(self, name: str) -> str:
        return self.typed.get(name, "").strip()

    def wrong(self, name: str, message: str) -> object:
        self.errors.append({"field": name.replace("-", "."), "message": message})
        return UNTOUCHED


def text(reading: Reading, name: str) -> Any:
    """What was typed, trimmed; left out when empty."""
    return reading.text(name) or UNTOUCHED


def needed(reading: Reading, name: str) -> Any:
    """As text, but an emptied field is sent empty, so that the answer says that it can't be."""
    return UNTOUCHED if name not in reading.typed else reading.text(name)


def secret(reading: Reading, name: str) -> Any:
    """What was typed to the letter (a password may begin with a space); left out when empty."""
    return reading.typed.get(name) or UNTOUCHED


def clearable(reading: Reading, name: str) -> Any:
    """As text, but an emptied field says null: the value is taken away."""
    return UNTOUCHED if name not in reading.typed else reading.text(name) or None


def money(reading: Reading, name: str) -> Any:
    """An amount such as 120.50, in minor units."""
    typed = reading.text(name)
    if not typed:
        return UNTOUCHED
    try:
        return from_text(typed, reading.currency)
    except ValueError as wrong:
        return reading.wrong(name, str(wrong))


def whole(reading: Reading, name: str) -> Any:
    """A whole number."""
    typed = reading.text(name)
    if not typed:
        return UNTOUCHED
    if not re.fullmatch(r"\d{1,9}", typed, re.ASCII):
        return reading.wrong(name, "Write a whole number.")
    return int(typed)


def needed_whole(reading: Reading, name: str) -> Any:
    """A whole number that can't be emptied."""
    emptied = name in reading.typed and not reading.text(name)
    return reading.wrong(name, "Write a whole number.") if emptied else whole(reading, name)


def year(reading: Reading, name: str) -> Any:
    """A year with two or four digits, as cards print it."""
    found = whole(reading, name)
    return found + 2000 if isinstance(found, int) and found < 100 else found


def digits(reading: Reading, name: str) -> Any:
    """A number as it is printed on a card: spaces and hyphens taken out."""
    return re.sub(r"[\s-]", "", reading.text(name)) or UNTOUCHED


def rate(reading: Reading, name: str) -> Any:
    """A rate typed in percent (`7.25`), as the API's decimal (`0.0725`)."""
    typed = reading.text(name).rstrip("% \u00a0")
    if not typed:
        return UNTOUCHED
    if not re.fullmatch(r"\d{1,3}(\.\d{1,4})?", typed, re.ASCII):
        return reading.wrong(name, "Write a rate in percent, such as 7.25.")
    return plain(Decimal(typed).scaleb(-2))


def decimal(reading: Reading, name: str) -> Any:
    """A number such as 1.5, as the API's decimal."""
    return _decimal(reading, name, reading.text(name), "Write a number with a point, such as 1.5.")


def percent(reading: Reading, name: str) -> Any:
    """A percentage, with its sign or without (`10%`, `7.5`), as the API's decimal."""
    return _decimal(reading, name, reading.text(name).rstrip("% \u00a0"), "Write a percentage such as 10 or 7.5.")


def _decimal(reading: Reading, name: str, typed: str, words: str) -> Any:
    if not reading.text(name):
        return UNTOUCHED
    if not re.fullmatch(r"\d{0,9}\.?\d{1,9}", typed, re.ASCII):
        return reading.wrong(name, words)
    return plain(Decimal(typed))


def flag(reading: Reading, name: str) -> Any:
    """A tick box: ticked or not."""
    return reading.typed.get(name) == "true"


def several(reading: Reading, name: str) -> Any:
    """The values of all ticked boxes of one name; what is wrong with one of them is said of the group."""
    reading.groups.add(name)
    return reading.typed.getlist(name)


def one(**kinds: Kind) -> Kind:
    """A nested object (`address-line1`); left out when nothing of it was typed."""

    def read_one(reading: Reading, name: str) -> Any:
        found = _found(reading, kinds, name + "-")
        return found if any(value is not False for value in found.values()) or _wrong_below(reading, name) else UNTOUCHED

    return read_one


def or_null(kind: Kind) -> Kind:
    """As `kind`, but null where nothing was typed: what was stored is taken away."""

    def read_or_null(reading: Reading, name: str) -> Any:
        found = kind(reading, name)
        return None if found is UNTOUCHED else found

    return read_or_null


def many(**kinds: Kind) -> Kind:
    """A list of objects (`lines-0-description`); rows in which nothing was typed are left out."""

    def read_many(reading: Reading, name: str) -> Any:
        rows = [one(**kinds)(reading, f"{name}-{number}") for number in numbers(reading.typed, name)]
        return [row for row in rows if row is not UNTOUCHED] or UNTOUCHED

    return read_many


def _wrong_below(reading: Reading, name: str) -> bool:
    return any(error["field"].startswith(name.replace("-", ".") + ".") for error in reading.errors)


def _found(reading: Reading, kinds: Mapping[str, Kind], prefix: str) -> dict[str, Any]:
    values = {name: kind(reading, prefix + name) for name, kind in kinds.items()}
    return {name: value for name, value in values.items() if value is not UNTOUCHED}


def numbers(typed: Iterable[str], name: str) -> list[int]:
    """The row numbers that a form holds for a list of objects, at most 200."""
    found = {int(match[1]) for key in typed if (match := re.match(rf"{name}-(\d{{1,3}})-", key))}
    return sorted(found)[:200]


ADDRESS = one(line1=text, line2=text, city=text, state=text, postal_code=text, country=text)


class Form:
    """A form as it is drawn: what was typed, the errors beside the fields, one sentence above, and a fresh key."""

    def __init__(self, typed: MultiDict[str, str] | None = None, key: str = ""):
        self.typed: MultiDict[str, str] = typed if typed is not None else MultiDict()
        self.sent = typed is not None
        self.key = key or new_id("key")
        self.errors: dict[str, str] = {}
        self.problem = ""
        self._labels: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        self._groups: set[str] = set()

    def body(self, currency: str = "USD", /, **kinds: Kind) -> dict[str, Any]:
        """The JSON body; raises Invalid with the errors that only a form can make."""
        reading = Reading(self.typed, currency)
        found = _found(reading, kinds, "")
        self._groups |= reading.groups
        if reading.errors:
            raise Invalid(errors=reading.errors)
        return found

    def refused(self, fault: Fault) -> "Form":
        """The same form with a fault's words: one sentence above, and each error at its field."""
        self.problem = fault.detail
        if fault.code == "idempotency_key_reused":  # by the browser's way back: about no field, and no matter for people
            self.problem = SENT_BEFORE
            return self
        for error in fault.errors or []:
            self.errors.setdefault(self._field(error["field"]), plainly(error["field"], error["message"]))
        if set(self.errors) == {"body"}:
            self.problem, self.errors = self.errors["body"], {}
        if self.problem in self.errors.values():  # said beside the field already
            self.problem = ""
        return self

    def _field(self, path: str) -> str:
        """The drawn field of a path of the API's; the boxes of one name are one."""
        group = re.sub(r"\.\d+$", "", path)
        return (group if group in self._groups else path).replace(".", "-")

    def renewed(self) -> "Form":
        """With a new key: what is sent next is something else than what was sent before."""
        self.key = new_id("key")
        return self

    def value(self, name: str, default: Any = "") -> Any:
        """What was typed, else `default`; never a secret."""
        if SECRET.search(name) or not self.sent:
            return "" if SECRET.search(name) else "" if default is None else default
        return self.typed.get(name, "" if default is None else default)

    def ticked(self, name: str, value: str = "true", default: bool = False) -> bool:
        return value in self.typed.getlist(name) if self.sent else default

    def named(self, name: str, label: str, id: str | None = None) -> str:
        """Notes a field's label, and its id where that is another word, for the summary of problems; gives the label back."""
        self._labels[name], self._ids[name] = label, id or name
        return label

    def id_of(self, name: str) -> str:
        return self._ids.get(name, name)

    def label(self, name: str) -> str:
        last = name.rsplit("-", 1)[-1].replace("_", " ").capitalize()
        row = re.match(r"lines-(\d+)-", name)
        return self._labels.get(name) or (f"Line {int(row[1]) + 1}, {last.lower()}" if row else last)

    def drawn_lines(self, invoice: Any = None) -> list[dict[str, Any]]:
        """The rows of an invoice to draw: those typed (and one more when that was asked for), else a draft's own.

        None at all as long as one description and one amount are enough; what was typed there becomes the first row.
        """
        rows = numbers(self.typed, "lines")
        adds = "add_line" in self.typed
        if rows or adds:
            first = {} if rows else {"description": self.value("description"), "unit_amount": self.value("amount")}
            rows = rows or [0]
            more = [rows[-1] + 1] if adds and len(rows) < 200 else []
            return [{"prefix": f"lines-{number}-", **(first if number == rows[0] else {})} for number in rows + more]
        if self.sent or invoice is None or (len(invoice["lines"]) == 1 and _is_short(invoice["lines"][0])):
            return []
        return [_drawn(number, line, invoice["currency"]) for number, line in enumerate(invoice["lines"])]


def _is_short(line: Any) -> bool:
    return str(line["quantity"]) == "1" and not line.get("category")


def _drawn(number: int, line: Any, currency: str) -> dict[str, Any]:
    return {
        "prefix": f"lines-{number}-",
        "description": line["description"],
        "quantity": plain(line["quantity"]),
        "unit_amount": to_text(line["unit_amount"], currency),
        "category": line.get("category") or "",
    }


def idempotency_key(form: Form, route: str, secret_key: bytes) -> IdempotencyKey:
    """The key that was drawn into the form, for this route, with the HMAC of what was typed."""
    told = {name: values for name, values in sorted(form.typed.lists()) if name not in ("csrf_token", "idempotency_key")}
    text_of_it = json.dumps(told, sort_keys=True, ensure_ascii=False).encode(errors="replace")
    return IdempotencyKey(form.key, route, hmac.new(secret_key, text_of_it, sha256).hexdigest())
