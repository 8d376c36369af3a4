"""The person who asks: who they are, their memberships, their password."""

from services.gateway.asker import Answer, Asker, told
from services.gateway.people.usecases import resetting
from services.gateway.people.words import Me


def read_me(asker: Asker) -> Answer:
    """`{person, memberships, acting_as, practice, csrf_token}`."""
    return told(asker, Me)


def change_password(asker: Asker, body: dict) -> Answer:
    """`{current_password, password}`; ends the person's other sessions."""
    return resetting.change_password(asker, body)
