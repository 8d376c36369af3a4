"""Cards on file: kept at one account's processor with their owner's consent; listed, chosen, removed, told of before they expire."""

import json
import logging
from datetime import date

from sqlalchemy.orm import Session

from services.processors import storage
from services.processors.adapters.base import words_for
from services.processors.config import Room
from services.processors.model import Account, SavedCard, reference_of, saved_card_place
from services.processors.orders import APPROVED, CHARGE, DECLINED, Means, OnFile, Saved, Saving
from services.processors.usecases.attempting import kept_credentials, opened, practice_of
from services.processors.usecases.opening import opened_means
from services.processors.usecases.repeating import kept_answer, once
from shared.caller import ADMIN, CLIENT, PROVIDER, Caller
from shared.contracts.processors import Processors
from shared.faults import Conflict, NotFound, Refused, Rejected, Unavailable
from shared.fields import Record
from shared.mishap import log_mishap
from shared.outbox import emit
from shared.told import Told

log = logging.getLogger(__name__)

MOST = 10  # cards of one client: some processors keep no more


def save_card(caller: Caller, request: Record, room: Room) -> Told:
    """Keep a card of the caller's own at the account that takes payments now; the first one is the default.

    A card that is on file already takes the older one's place: the timer has the processor forget that.
    Raises Conflict where that keeps none or has too many, Refused or Rejected where the processor says no, Unavailable where
    it says nothing: then the card is not on file here, and saving it again does no harm.
    """
    caller.must_be(CLIENT)
    practice_id = practice_of(caller)
    if kept := kept_answer(room, caller):
        return kept
    account, used = _account(room, practice_id, caller.member_id)
    means = opened_means(room, request.sealed_card, f"save-card|{practice_id}|{caller.member_id}|{request.card_id}")
    if means is None or not account.takes(means, has_page=False, takes_tokens=room.adapters[account.type].takes_tokens):
        raise Conflict("card_entry", "The practice takes cards another way by now, or this took too long. Open the page again.")
    saved = _ask(room, account, used, request.card_id, caller.member_id, means)
    now, sealed = room.clock.now(), room.vault.seal(json.dumps(saved.ids).encode(), *saved_card_place(practice_id, request.card_id))

    def act(session: Session) -> dict:
        if standing := storage.saved_card(session, practice_id, request.card_id):
            return _described(standing, account, now.date())
        others = storage.saved_cards(session, practice_id, caller.member_id, lock=True)
        row = SavedCard(
            practice_id=practice_id, id=request.card_id, client_id=caller.member_id, account_id=account.id, sealed=sealed,
            brand=saved.brand or "card", last4=saved.last4 or "", exp_month=saved.exp_month, exp_year=saved.exp_year,
            is_default=not others, consent=request.consent, consent_at=now,
        )  # fmt: skip
        for same in filter(row.is_same, others):
            row.is_default |= same.is_default
            same.removed_at, same.is_default = now, False
        session.add(row)
        session.flush()
        return _described(row, account, now.date())

    return once(room, caller, Processors.save_card, act, status=201)


def _account(room: Room, practice_id: str, client_id: str) -> tuple[Account, dict]:
    with room.database.reading() as session:
        account = storage.active_account(session, practice_id)
        if account is None or not account.takes_cards or not _keeps(room, account):
            raise Conflict("cards_not_kept", "The practice keeps no cards on file.")
        if len(storage.saved_cards(session, practice_id, client_id)) >= MOST:
            raise Conflict("too_many_cards", f"There are {MOST} cards on file already. Remove one first.")
        lying = kept_credentials(session, practice_id, account.id, account.credentials_version)
        storage.taken_out(session, account)
    return account, opened(room, lying)


def _keeps(room: Room, account: Account) -> bool:
    return room.adapters[account.type].keeps_cards_of(account.card_entry)


def _ask(room: Room, account: Account, used: dict, card_id: str, client_id: str, means: Means) -> Saved:
    """The processor's word; raises where it is not a yes. Whatever an adapter trips over, only its kind is logged."""
    reference, payer = (reference_of(room.keys.hmac_key, its_id, account.id, 1) for its_id in (card_id, client_id))
    try:
        saved = room.adapters[account.type].save_card(used, Saving(reference, payer, means))
    except Exception as failure:
        log.error("the processor's adapter failed on saving %s: %s", card_id, type(failure).__name__)
        saved = Saved("unknown")
    if saved.status == APPROVED:
        return saved
    if saved.status != DECLINED:
        raise Unavailable("processor_unavailable", "The card processor gave no answer. The card is not on file; try again shortly.")
    refusal = saved.refusal or "unknown"
    family = Rejected if refusal in ("processor_credentials_refused", "invalid_request", "unknown") else Refused
    code = "processor_rejected" if family is Rejected else "card_declined"
    raise family(code, words_for(CHARGE, refusal), reason=refusal, processor_code=saved.processor_code)


def list_cards(caller: Caller, request: Record, room: Room) -> dict:
    """A client's cards on file: their own, or for staff those of the client named (whom the gateway has let them see)."""
    practice_id, today = _whose(caller, request), room.clock.now().date()
    with room.database.reading() as session:
        account = storage.active_account(session, practice_id)
        rows = storage.saved_cards(session, practice_id, request.client_id)
        can_save = account is not None and account.takes_cards and _keeps(room, account)
        return {"data": [_described(row, account, today) for row in rows], "next_cursor": None, "can_save": can_save}


def read_card(caller: Caller, request: Record, room: Room) -> dict:
    """One of a client's cards on file."""
    found = list_cards(caller, request, room)["data"]
    card = next((one for one in found if one["id"] == request.card_id), None)
    if card is None:
        raise NotFound()
    return card


def choose_card(caller: Caller, request: Record, room: Room) -> dict:
    """Make this the client's default card."""
    practice_id = _whose(caller, request)
    with room.database.transaction() as session:
        rows = storage.saved_cards(session, practice_id, request.client_id, lock=True)
        chosen = next((row for row in rows if row.id == request.card_id), None)
        if chosen is None:
            raise NotFound()
        for row in rows:
            row.is_default = row is chosen
        return _described(chosen, storage.active_account(session, practice_id), room.clock.now().date())


def remove_card(caller: Caller, request: Record, room: Room) -> dict:
    """Take a card off file, here at once and at its processor as soon as that answers. Removed twice is removed once."""
    practice_id = _whose(caller, request)
    with room.database.transaction() as session:
        rows = storage.saved_cards(session, practice_id, request.client_id, lock=True)
        row = storage.saved_card(session, practice_id, request.card_id)
        if row is None or row.client_id != request.client_id:
            raise NotFound()
        if row.removed_at is None:
            row.removed_at = room.clock.now()
            others = [other for other in rows if other.id != row.id]
            if row.is_default and others:
                row.is_default, others[0].is_default = False, True
        session.flush()
        storage.taken_out(session, row)
    _forget(room, row)
    return {}


def _whose(caller: Caller, request: Record) -> str:
    caller.must_be(CLIENT, ADMIN, PROVIDER)
    if caller.role == CLIENT and request.client_id != caller.member_id:
        raise NotFound()
    return practice_of(caller)


def on_file(room: Room, caller: Caller, card_id: str, client_id: str | None) -> Means:
    """What a charge of a card on file is made with. Raises Conflict where it is not that client's, or not on file any more."""
    practice_id = practice_of(caller)
    if caller.role == CLIENT and client_id != caller.member_id:
        raise NotFound()
    with room.database.reading() as session:
        row = storage.saved_card(session, practice_id, card_id)
        if row is None or row.client_id != client_id or row.removed_at is not None:
            raise Conflict("card_not_on_file", "This card is not on file any more. Choose another one.")
        storage.taken_out(session, row)
    kept = {name: getattr(row, name) for name in ("account_id", "brand", "last4", "exp_month", "exp_year")}
    return Means(on_file=OnFile(**kept, ids=_ids(room, row), off_session=caller.role != CLIENT))


def tend_cards(room: Room) -> None:
    """One turn of the timer: owners are told once of cards that expire soon, and processors forget the removed ones."""
    now = room.clock.now()
    last = date(now.year + now.month // 12, now.month % 12 + 1, 1)
    with room.database.transaction() as session:
        for row in storage.cards_to_warn_of(session, last.year, last.month):
            row.warned_at = now
            emit(session, Processors.card_expiring, {"client_id": row.client_id, "card_id": row.id}, now, row.practice_id)
    with room.database.reading() as session:
        removed = storage.taken_out(session, storage.cards_to_forget(session))
    for row in removed:
        try:
            _forget(room, row)
        except Exception as trouble:
            log_mishap(log, f"removing {row.id} at its processor", trouble)


def _forget(room: Room, row: SavedCard) -> None:
    """Have the processor forget a removed card; the timer asks again where it doesn't answer.

    Some keep the same card under the same ids each time: while it is on file for another row too, it stays there.
    """
    if not row.sealed:
        return
    with room.database.reading() as session:
        account = storage.any_account(session, row.practice_id, row.account_id)
        if account is None:
            return  # an account whose processor keeps a card is never deleted
        lying = kept_credentials(session, row.practice_id, account.id, account.credentials_version)
        alike = storage.taken_out(session, storage.cards_alike(session, row))
        adapter = room.adapters[account.type]
    try:
        ids = _ids(room, row)
        gone = any(ids == _ids(room, other) for other in alike) or adapter.remove_card(opened(room, lying), ids)
    except Exception as failure:
        log.error("the processor's adapter failed on removing %s: %s", row.id, type(failure).__name__)
        return
    if gone:
        with room.database.transaction() as session:
            standing = storage.saved_card(session, row.practice_id, row.id)
            if standing is not None:
                standing.sealed = ""


def _ids(room: Room, row: SavedCard) -> dict:
    return json.loads(room.vault.open(row.sealed, *row.place))


def _described(row: SavedCard, active: Account | None, today: date) -> dict:
    shown = {name: getattr(row, name) for name in ("id", "brand", "last4", "exp_month", "exp_year")}
    usable = active is not None and active.takes_cards and active.id == row.account_id
    consent = {"text": row.consent, "at": row.consent_at}
    return {**shown, "expiry": row.expiry(today), "default": row.is_default, "usable": usable, "consent": consent}
