"""The API's words about a field, which programs read, in those that a person reads beside it. What is plain already stays."""

import re

OFFERED = "Choose one of those offered."
WORDS = (
    (r"A decimal is sent as text.*", "Write a number with a point, such as 1.5."),
    (r"An amount is a whole number of cents.*", "Write an amount such as 120.50."),
    (r"This must be a whole number\.", "Write a whole number."),
    (r"From [1-9]\d* to \d+ of these\.", "At least one is needed."),
    (r"From 0 to (\d+) of these\.", r"At most \1 of these."),
    (r"Choose one of: .*", OFFERED),
    (r"This is not an id of ours\.", OFFERED),
)
AMOUNTS = (
    (r"This must be at least 1\.", "Write an amount above zero."),
    (r"This must be at least \d{2,}\.", "This amount is too small."),
    (r"This must be at most \d+\.", "This amount is too large."),
)
PERCENTAGES = ((r"A decimal is sent as text.*", "Write a percentage such as 10 or 7.5."),)
AMOUNT = re.compile(r"(^|\.)(unit_)?amount$")  # the API counts these in cents
PERCENTAGE = re.compile(r"(^|\.)percent$")


def plainly(field: str, message: str) -> str:
    """`message` about `field` (`lines.0.unit_amount`) as a person reads it."""
    own = AMOUNTS if AMOUNT.search(field) else PERCENTAGES if PERCENTAGE.search(field) else ()
    for pattern, words in own + WORDS:
        if found := re.fullmatch(pattern, message, re.DOTALL):
            return found.expand(words)
    return message
