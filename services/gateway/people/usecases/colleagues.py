"""Colleagues: invited by mail, given roles, deactivated. A practice always keeps one admin who can sign in."""

from typing import Any

from services.gateway.asker import Answer, told
from services.gateway.people import storage
from services.gateway.people.effects import take_effect
from services.gateway.people.model import Colleague
from services.gateway.people.telling import invitations_must_be_few, tell_colleague, write_letter
from services.gateway.people.words import ColleagueChange, ColleagueFilter, ColleagueRead, NewColleague
from services.gateway.reading import query
from shared.contract import read
from shared.faults import Conflict, Invalid, invalid
from shared.fields import Page
from shared.ids import new_id

ColleaguePage = Page(ColleagueRead)


def invite_colleague(asker: Any, body: dict) -> Answer:
    """The new colleague, invited by mail; raises Invalid where the address is a colleague's already."""
    wanted = read(NewColleague, body)

    def work(s: Any, now: Any) -> Colleague:
        if storage.colleague_by_email(s, asker.practice_id, wanted.email):
            raise invalid("email", "This colleague is here already.", "email_taken")
        place = Colleague(id=new_id("col"), practice_id=asker.practice_id, name=wanted.name, email=wanted.email, created_at=now)
        place.roles = list(dict.fromkeys(wanted.roles))
        storage.save(s, place)
        tell_colleague(s, asker.gateway.keys, place, now)
        _invite(s, asker, place, now)
        return place

    return take_effect(
        asker.gateway, asker.caller, work, ColleagueRead, status=201, tell=lambda made: [(asker.practice_id, made.id)]
    )


def _invite(s: Any, asker: Any, place: Colleague, now: Any) -> None:
    write_letter(s, asker.gateway, "invitation", "colleague_invitation", place.email, place.practice_id, place.id, now)


def invite_again(asker: Any, colleague_id: str) -> Answer:
    """A new letter; raises Conflict where the invitation was accepted already."""

    def work(s: Any, now: Any) -> Colleague:
        place = storage.colleague(s, asker.practice_id, colleague_id)
        if place.status != "invited":
            raise Conflict("not_invited", "This invitation was accepted already, or the colleague is deactivated.")
        invitations_must_be_few(s, place.id, now)
        _invite(s, asker, place, now)
        return place

    tell = [(asker.practice_id, colleague_id)]
    return take_effect(asker.gateway, asker.caller, work, ColleagueRead, status=202, tell=lambda _: tell)


def list_colleagues(asker: Any, given: dict) -> Answer:
    """One page by name."""
    _, wanted = query(ColleagueFilter, given)
    with storage.reading(asker.gateway.database) as s:
        found = [one for one in storage.colleagues(s, asker.practice_id) if _is_wanted(one, wanted)]
    ids = [one.id for one in found]
    if wanted.cursor and wanted.cursor not in ids:
        raise invalid("cursor", "This page is not there any more; begin again.")
    rest = found[ids.index(wanted.cursor) + 1 :] if wanted.cursor else found
    page = rest[: wanted.limit]
    return told({"data": page, "next_cursor": page[-1].id if len(rest) > wanted.limit else None}, ColleaguePage)


def _is_wanted(place: Colleague, wanted: Any) -> bool:
    return (
        wanted.role in (None, *place.roles)
        and wanted.active in (None, place.active)
        and (not wanted.q or wanted.q.lower() in f"{place.name} {place.email}".lower())
    )


def read_colleague(asker: Any, colleague_id: str) -> Answer:
    with storage.reading(asker.gateway.database) as s:
        return told(storage.colleague(s, asker.practice_id, colleague_id), ColleagueRead)


def change_colleague(asker: Any, colleague_id: str, body: dict) -> Answer:
    """Name, roles or `active`; a role or place that was taken away ends with the next request of its sessions."""
    change = read(ColleagueChange, body)

    def work(s: Any, now: Any) -> Colleague:
        storage.practice(s, asker.practice_id, lock=True)  # two admins can't take each other's role at the same time
        place = storage.colleague(s, asker.practice_id, colleague_id, lock=True)
        for name, value in change.items():
            setattr(place, name, list(dict.fromkeys(value)) if name == "roles" else value)
        s.flush()
        _must_keep_an_admin(s, asker.practice_id)
        place.version += 1
        s.flush()
        tell_colleague(s, asker.gateway.keys, place, now)
        return place

    tell = [(asker.practice_id, colleague_id)]
    return take_effect(asker.gateway, asker.caller, work, ColleagueRead, tell=lambda _: tell)


def _must_keep_an_admin(s: Any, practice_id: str) -> None:
    if not any(one.status == "active" and "admin" in one.roles for one in storage.colleagues(s, practice_id)):
        raise Conflict("last_admin", "A practice needs at least one admin who can sign in. Make somebody else an admin first.")


def must_be_providers(asker: Any, ids: list[str]) -> None:
    """Raises Invalid naming each of `provider_ids` that isn't an active provider of the practice."""
    if ids:
        with storage.reading(asker.gateway.database) as s:
            check_providers(s, asker.practice_id, ids)


def check_providers(s: Any, practice_id: str, ids: list[str]) -> None:
    """The same inside a transaction."""
    known = {one.id for one in storage.colleagues(s, practice_id) if one.active and "provider" in one.roles}
    wrong = [position for position, one in enumerate(ids) if one not in known]
    if wrong:
        message = "There is no such provider here."
        raise Invalid(errors=[{"field": f"provider_ids.{position}", "message": message} for position in wrong])
