"""Looking for what must not come out: short digits only where they stand alone, since ids are full of digits."""

import re
from collections.abc import Iterable

SHORT = 6  # characters; what is no longer counts only where it stands alone


def leaked(secret: str, text: str) -> bool:
    """Whether `secret` is in `text`; a short number counts where no letter, digit or hyphen touches it."""
    if len(secret) > SHORT:
        return secret in text
    return standing_alone([secret]).search(text.encode(errors="surrogatepass")) is not None


def standing_alone(secrets: Iterable[str]) -> re.Pattern[bytes]:
    """Where one of these stands alone: no letter, digit or hyphen touches it, and it is no part of a decimal or a time."""
    any_of_them = "|".join(map(re.escape, secrets))
    return re.compile(rf"(?<![\w-])(?<!\d[.,:])({any_of_them})(?![\w-])(?![.,:]\d)".encode())
