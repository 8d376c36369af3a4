"""The Client Billing service of a practice: on or off, and which providers are assigned to it."""

from sqlalchemy import delete

from services.invoicing.model import Service, ServiceProvider
from services.invoicing.storage import Storage, Tx
from shared.caller import ADMIN, CLIENT, PROVIDER, SYSTEM, Caller
from shared.faults import Conflict, Forbidden, Invalid
from shared.fields import Record

DISABLED = "The Client Billing service is switched off. An admin can switch it on under Services."
NOT_ASSIGNED = "You are not assigned to the Client Billing service. An admin can assign you under Services."


def read_service(caller: Caller, storage: Storage) -> dict:
    """Whether the service is on and who is assigned; and whether the caller may create invoices, or why not."""
    caller.must_be(ADMIN, PROVIDER, CLIENT, SYSTEM)
    with storage.reading() as tx:
        return _shown(tx, caller)


def change_service(caller: Caller, request: Record, storage: Storage) -> dict:
    """Switch the service and assign providers. Switching off stops new invoices only; old ones can be paid, refunded and closed."""
    caller.must_be(ADMIN)
    with storage.transaction() as tx:
        if "provider_ids" in request:
            _assign(tx, caller.practice_id, request.provider_ids)
        if "enabled" in request:
            tx.session.merge(Service(practice_id=caller.practice_id, enabled=request.enabled))
        tx.session.flush()
        return _shown(tx, caller)


def must_create(tx: Tx, caller: Caller) -> None:
    """Raises Conflict (service off) or Forbidden (provider not assigned) unless the caller may create and send invoices."""
    enabled, assigned = tx.service(caller.practice_id)
    if not enabled:
        raise Conflict("service_disabled", DISABLED, allowed_actions=[])
    if caller.role == PROVIDER and caller.member_id not in assigned:
        raise Forbidden("not_assigned", NOT_ASSIGNED)


def _assign(tx: Tx, practice_id: str, provider_ids: list[str]) -> None:
    for position, provider_id in enumerate(provider_ids):
        colleague = tx.colleague(practice_id, provider_id)
        if colleague is None or not colleague.active or "provider" not in colleague.roles:
            raise Invalid(
                errors=[{"field": f"provider_ids.{position}", "message": "This is not an active provider of the practice."}]
            )
    tx.session.execute(delete(ServiceProvider).where(ServiceProvider.practice_id == practice_id))
    tx.session.add_all(
        ServiceProvider(practice_id=practice_id, provider_id=provider_id) for provider_id in dict.fromkeys(provider_ids)
    )


def _shown(tx: Tx, caller: Caller) -> dict:
    enabled, assigned = tx.service(caller.practice_id)
    why_not = None
    if not enabled:
        why_not = DISABLED
    elif caller.role == PROVIDER and caller.member_id not in assigned:
        why_not = NOT_ASSIGNED
    return {"enabled": enabled, "provider_ids": assigned, "may_create": why_not is None, "why_not": why_not}
