"""Copies of the gateway's facts: written by its calls, older versions ignored, in any order and as often as they come."""

from sqlalchemy import delete

from services.invoicing.model import Client, ClientProvider, Colleague, Practice
from services.invoicing.storage import Storage, Tx
from shared.caller import SYSTEM, Caller
from shared.fields import Record


def put_practice(caller: Caller, request: Record, storage: Storage) -> dict:
    """Keep this version of the practice unless a newer one is here. The currency stays once an invoice was sent (gateway's rule)."""
    caller.must_be(SYSTEM)
    with storage.transaction() as tx:
        return _put(tx, Practice, caller.practice_id, request, practice_id=caller.practice_id)


def put_colleague(caller: Caller, request: Record, storage: Storage) -> dict:
    caller.must_be(SYSTEM)
    with storage.transaction() as tx:
        return _put(tx, Colleague, (caller.practice_id, request.colleague_id), request, practice_id=caller.practice_id)


def put_client(caller: Caller, request: Record, storage: Storage) -> dict:
    """The client, and which providers are listed on them."""
    caller.must_be(SYSTEM)
    with storage.transaction() as tx:
        fields = Record({name: value for name, value in request.items() if name != "provider_ids"})
        held = _put(tx, Client, (caller.practice_id, request.client_id), fields, practice_id=caller.practice_id)
        if held["version"] == request.version:
            _put_providers(tx, caller.practice_id, request.client_id, request.provider_ids)
        return held


def _put(tx: Tx, family: type, key: object, request: Record, **own: str) -> dict:
    row = tx.session.get(family, key, with_for_update=True)
    if row is None:
        tx.add(family(**own, **request))
    elif row.version <= request.version:
        for name, value in request.items():
            setattr(row, name, value)
    else:
        return {"version": row.version}
    return {"version": request.version}


def _put_providers(tx: Tx, practice_id: str, client_id: str, provider_ids: list[str]) -> None:
    listed = (ClientProvider.practice_id == practice_id, ClientProvider.client_id == client_id)
    tx.session.flush()
    tx.session.execute(delete(ClientProvider).where(*listed))
    tx.session.add_all(
        ClientProvider(practice_id=practice_id, client_id=client_id, provider_id=provider_id, position=position)
        for position, provider_id in enumerate(dict.fromkeys(provider_ids))
    )
