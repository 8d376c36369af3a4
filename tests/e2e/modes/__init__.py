"""How a person pays in a processor's own way, in the stand-ins that its simulator serves: one module each, named as the type.

Each has `on_page(sam, number)`, from the processor's page to ours, and `in_form(sam, number)`, in its form on our pay page; both
type the card, press the button, and wait until the browser is back on a page of ours or the processor's own says no.
`DECLINED` and `APPROVED` are card numbers of its simulator. They prove our side only: the real pages are the processors'.
"""
