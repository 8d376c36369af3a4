"""What is billed: the lines and discount that were asked for, tax's quote for them, and the sums they put into an invoice."""

from decimal import Decimal
from typing import Any

from services.invoicing.model import Invoice, InvoiceLine, InvoiceTaxLine
from shared import money
from shared.caller import Caller
from shared.contracts.tax import Tax
from shared.faults import Invalid, invalid
from shared.fields import Record


def lines_asked(request: Record) -> list[Record]:
    """The lines that were asked for: `lines`, or one made of `description` and `amount`; raises Invalid naming the field."""
    if "lines" in request:
        if "amount" in request:
            raise invalid("amount", "Send either an amount or lines, not both.")
        lines = [_with_amount(line, position) for position, line in enumerate(request.lines)]
    else:
        missing = [name for name in ("description", "amount") if name not in request]
        if missing:
            raise Invalid(errors=[{"field": name, "message": "This is needed."} for name in missing])
        lines = [_line(request.description, Decimal(1), request.amount, None, request.amount)]
    if sum(line.amount for line in lines) > money.MOST:
        raise invalid("lines", "The lines add up to more than an invoice can hold.")
    return lines


def _with_amount(line: Record, position: int) -> Record:
    quantity = Decimal(1) if line.quantity is None else line.quantity
    amount = money.rounded(quantity * line.unit_amount)
    if amount > money.MOST:
        raise invalid(f"lines.{position}.unit_amount", "This line comes to more than an invoice can hold.")
    return _line(line.description, quantity, line.unit_amount, line.category, amount)


def _line(description: str, quantity: Decimal, unit_amount: int, category: str | None, amount: int) -> Record:
    return Record(description=description, quantity=quantity, unit_amount=unit_amount, category=category, amount=amount)


def discount_asked(request: Record) -> dict:
    """`{amount}` or `{percent}` as asked, or {}; raises Invalid where it is neither or both."""
    asked = request.get("discount")
    if asked is None:
        return {}
    if len(asked) != 1:
        raise invalid("discount", "Send either an amount or a percent.")
    return dict(asked)


def lines_kept(invoice: Invoice, request: Record) -> list[Record]:
    if "lines" in request or "amount" in request:
        return lines_asked(request if "description" in request else Record({**request, "description": invoice.description}))
    lines = [_line(row.description, row.quantity, row.unit_amount, row.category, row.amount) for row in invoice.lines]
    if "description" in request:
        lines[0].description = request.description
    return lines


def discount_kept(invoice: Invoice, request: Record) -> dict | None:
    return request.discount if "discount" in request else invoice.discount_asked


def taken_off(lines: list[Record], discount: dict) -> int:
    """The discount in minor units; raises Invalid where it leaves nothing to pay."""
    whole = sum(line.amount for line in lines)
    percent = Decimal(discount.get("percent", 0))
    off = int(discount["amount"]) if "amount" in discount else money.rounded(whole * percent / 100)
    if whole - off <= 0:
        field = "discount" if discount else "amount"
        raise invalid(field, "An invoice needs something to pay: its total must be more than zero.")
    return off


def ask_quote(caller: Caller, bus: Any, client_id: str, currency: str, lines: list[Record], discount: dict) -> Record:
    """What tax says of these lines after the discount. A calculator that does not answer stops here; it never means zero."""
    shares = money.share_out(taken_off(lines, discount), [line.amount for line in lines])
    asked = [{"amount": line.amount - off, "category": line.category} for line, off in zip(lines, shares, strict=True)]
    quote = bus.ask(Tax.quote, {"client_id": client_id, "currency": currency, "lines": asked}, caller.with_key(None)).data
    return Record({**quote, "discounts": shares})


def fill(invoice: Invoice, lines: list[Record], discount: dict, asked: dict | None, quote: Record) -> None:
    """Put lines, discount and quoted tax into the invoice, and the sums that follow."""
    invoice.lines = [
        InvoiceLine(
            position=position, description=line.description, quantity=line.quantity, unit_amount=line.unit_amount,
            amount=line.amount, discount=off, category=line.category, taxable=quoted.taxable, tax=quoted.tax,
        )
        for position, (line, off, quoted) in enumerate(zip(lines, quote.discounts, quote.lines, strict=True))
    ]  # fmt: skip
    invoice.tax_lines = [
        InvoiceTaxLine(position=position, jurisdiction=share.jurisdiction, rate=share.rate, amount=share.amount)
        for position, share in enumerate(quote.tax_lines)
    ]
    invoice.description = lines[0].description
    invoice.subtotal = sum(line.amount for line in lines)
    invoice.discount = sum(quote.discounts)
    invoice.discount_asked = {name: str(value) if name == "percent" else value for name, value in asked.items()} if asked else None
    invoice.tax, invoice.total, invoice.tax_rule = quote.tax, quote.total, quote.rule
    invoice.search = " ".join([invoice.number or "", invoice.client_name, *(line.description for line in lines)]).lower()
