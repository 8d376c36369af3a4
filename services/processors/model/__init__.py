"""Accounts, their credentials and the attempts made with them: mapped classes, states and their rules. No session, no clock."""

from services.processors.model.accounts import (
    LISTS_LAG,
    OVERLAP,
    PAGES_LAST,
    READY,
    REFUSED,
    UNCHECKED,
    Account,
    CredentialVersion,
    Failover,
    Restore,
    SealingKey,
    credentials_place,
    sealing_key_place,
)
from services.processors.model.attempts import (
    CANCELED,
    CREATED,
    DECLINED,
    IN_FLIGHT,
    LOOK_UPS,
    NOT_SENT,
    NOTHING_MOVED,
    ON_FILE,
    OPEN,
    PENDING,
    PREPARED,
    REQUIRES_ACTION,
    REVIEW,
    SENDING,
    SUCCEEDED,
    TO_SETTLE,
    TOMBSTONE,
    UNKNOWN,
    Attempt,
    Pace,
    Try,
    reference_of,
)
from services.processors.model.base import Base, idempotency, inbox, outbox
from services.processors.model.cards import SavedCard, saved_card_place
from shared.envelopes import Envelopes, mapped

__all__ = [
    "CANCELED", "CREATED", "DECLINED", "ENVELOPES", "IN_FLIGHT", "LISTS_LAG", "LOOK_UPS", "NOTHING_MOVED", "NOT_SENT", "ON_FILE",
    "OPEN", "OVERLAP", "PAGES_LAST", "PENDING", "PREPARED", "READY", "REFUSED", "REQUIRES_ACTION", "REVIEW", "SENDING",
    "SUCCEEDED", "TOMBSTONE", "TO_SETTLE", "UNCHECKED", "UNKNOWN", "Account", "Attempt", "Base", "CredentialVersion", "Failover",
    "Pace", "Restore", "SavedCard", "SealingKey", "Try", "credentials_place", "idempotency", "inbox", "outbox", "reference_of",
    "saved_card_place", "sealing_key_place",
]  # fmt: skip

ENVELOPES = (
    Envelopes("credentials", mapped(CredentialVersion), "sealed",
              lambda row: credentials_place(row.practice_id, row.account_id, row.version)),
    Envelopes("sealing keys", mapped(SealingKey), "sealed", lambda row: sealing_key_place(row.number)),
    Envelopes("cards on file", mapped(SavedCard), "sealed", lambda row: saved_card_place(row.practice_id, row.id)),
)  # fmt: skip
