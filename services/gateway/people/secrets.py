"""Tokens: made from 256 random bits, told once, kept only as a hash."""

import hashlib
import hmac
import secrets

SESSION, API = "cbs", "cbk"


def new_token(kind: str = "") -> str:
    """A new secret of 256 bits, with its kind in front where it has one."""
    secret = secrets.token_urlsafe(32)
    return f"{kind}_{secret}" if kind else secret


def hashed(token: str) -> str:
    """What is kept of a token. It is random and long, so a plain hash can't be guessed back."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def derived(key: bytes, *parts: str) -> str:
    """An HMAC of `parts`: the CSRF token of a session, an account's name in the failures, a body's fingerprint."""
    return hmac.new(key, "\x1f".join(parts).encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
