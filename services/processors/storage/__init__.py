"""The only selects of processors. Each takes the practice first; those for timers are the exception, by design."""

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from services.processors.model import idempotency
from services.processors.storage.account_rows import (
    account,
    account_anywhere,
    accounts,
    accounts_to_check,
    accounts_to_compare,
    active_account,
    any_account,
    claim_check,
    claim_comparison,
    delete_account,
    failover,
    hold_accounts,
    is_used,
    lost_account,
    make_active,
    note_checked,
    note_compared,
    note_read,
    open_by_hand,
    open_read,
    read_first,
    wait_for_charges,
)
from services.processors.storage.attempt_rows import (
    accounts_tried,
    add_attempt,
    attempt,
    attempts,
    attempts_named,
    by_reference,
    due_for_look_up,
    given_back,
    given_back_between,
    move,
    open_attempts,
    run_out,
    sent_between,
    tried_before,
    wake,
)
from services.processors.storage.card_rows import cards_alike, cards_to_forget, cards_to_warn_of, saved_card, saved_cards
from services.processors.storage.secret_rows import (
    add_sealing_key,
    credentials,
    credentials_in_use,
    drop_old_credentials,
    drop_sealing_keys,
    has_credentials,
    newest_sealing_key,
    replace_credentials,
    sealing_key,
)

__all__ = [
    "account", "account_anywhere", "accounts", "accounts_to_check", "accounts_to_compare", "accounts_tried", "active_account",
    "add_attempt", "add_sealing_key", "any_account", "attempt", "attempts", "attempts_named", "by_reference", "cards_alike",
    "cards_to_forget", "cards_to_warn_of", "claim_check", "claim_comparison", "credentials", "credentials_in_use",
    "delete_account", "drop_old_credentials", "drop_sealing_keys", "due_for_look_up", "failover", "forget_keys", "given_back",
    "given_back_between", "has_credentials", "hold_accounts", "is_used", "lost_account", "make_active", "move",
    "newest_sealing_key", "note_checked", "note_compared", "note_read", "open_attempts", "open_by_hand", "open_read", "read_first",
    "replace_credentials", "run_out", "saved_card", "saved_cards", "sealing_key", "sent_between", "taken_out", "tried_before",
    "wait_for_charges", "wake",
]  # fmt: skip


def taken_out(session: Session, rows):
    """The rows, free of their session: they keep what was read after the reading has ended."""
    session.expunge_all()
    return rows


def forget_keys(session: Session, before: datetime) -> None:
    """Delete every practice's idempotency rows older than `before` (for the timer)."""
    session.execute(delete(idempotency).where(idempotency.c.created_at < before))
