"""The words people are asked and told in: the public API's schemas of everything that the gateway itself owns."""

from typing import Any

from shared.contracts.parts import CURRENCIES, Address, Paged
from shared.fields import Amount, Choice, Email, Flag, Id, Many, Moment, Part, Text, Whole, Words

ROLES = ("admin", "provider", "client")
STATUSES = ("invited", "active", "deactivated")


class Password(Text):
    """A password as it was typed, not trimmed; how long and how uncommon it must be is the passwords' rule, by role."""

    def __init__(self, **rest: Any):
        super().__init__(most=200, trim=False, multiline=True, **rest)

    def json_schema(self) -> dict:
        return {**super().json_schema(), "format": "password"}


class SignUp(Words):
    """A new practice and its first admin."""

    practice_name = Text(required=True, most=200)
    name = Text(required=True, most=200)
    email = Email(required=True)
    password = Password(required=True)


class SignIn(Words):
    email = Email(required=True)
    password = Password(required=True)
    totp = Text(allow_none=True, load_default=None, most=40)


class RoleSwitch(Words):
    practice_id = Id(required=True)
    role = Choice(*ROLES, required=True)


class PersonRead(Words):
    id = Text(required=True)
    name = Text(required=True)
    email = Text(required=True)
    email_confirmed = Flag(required=True)


class MembershipRead(Words):
    """One role of a person in one practice; `member_id` is the colleague's or client's id there."""

    practice_id = Text(required=True)
    practice_name = Text(required=True)
    role = Choice(*ROLES, required=True)
    member_id = Text(required=True)


class PracticeRead(Words):
    id = Text(required=True)
    name = Text(required=True)
    address = Part(Address, allow_none=True)
    currency = Text(required=True)
    time_zone = Text(required=True)
    number_prefix = Text(required=True, least=0)
    terms_days = Whole(required=True)
    partial_payments = Flag(required=True)
    idle_minutes = Whole(required=True)
    created_at = Moment(required=True)


class PracticeChange(Words):
    name = Text(most=200)
    address = Part(Address, allow_none=True)
    currency = Choice(*CURRENCIES)
    time_zone = Text(most=64)
    number_prefix = Text(most=12, least=0)
    terms_days = Whole(least=0, most=365)
    partial_payments = Flag()
    idle_minutes = Whole(least=5, most=30)


class SignedUp(Words):
    practice = Part(PracticeRead, required=True)
    person = Part(PersonRead, required=True)


class SignedIn(Words):
    """A new session: `token` works as Bearer, `csrf_token` goes with the cookie."""

    token = Text(required=True)
    csrf_token = Text(required=True)
    person = Part(PersonRead, required=True)
    memberships = Many(MembershipRead, required=True)
    acting_as = Part(MembershipRead, required=True)


class Me(Words):
    person = Part(PersonRead, required=True)
    memberships = Many(MembershipRead, required=True)
    acting_as = Part(MembershipRead, required=True)
    practice = Part(PracticeRead, required=True)
    csrf_token = Text(required=True)


class PasswordChange(Words):
    current_password = Password(required=True)
    password = Password(required=True)


class NewColleague(Words):
    name = Text(required=True, most=200)
    email = Email(required=True)
    roles = Many(Choice("admin", "provider"), required=True, least=1, most=2)


class ColleagueChange(Words):
    name = Text(most=200)
    roles = Many(Choice("admin", "provider"), least=1, most=2)
    active = Flag()


class ColleagueRead(Words):
    id = Text(required=True)
    name = Text(required=True)
    email = Text(required=True)
    roles = Many(Text(), required=True)
    status = Choice(*STATUSES, required=True)
    active = Flag(required=True)
    created_at = Moment(required=True)


class ColleagueFilter(Paged):
    role = Choice("admin", "provider", allow_none=True, load_default=None)
    active = Flag(allow_none=True, load_default=None)
    q = Text(allow_none=True, load_default=None, most=100)


class ClientFields(Words):
    phone = Text(allow_none=True, most=40)
    address = Part(Address, allow_none=True)
    tax_exempt = Flag()
    provider_ids = Many(Id(), most=100)


class NewClient(ClientFields):
    name = Text(required=True, most=200)
    email = Email(required=True)


class ClientChange(ClientFields):
    name = Text(most=200)
    email = Email()
    active = Flag()


class ClientRead(Words):
    """A client's file; `credit` and `balance_due` (minor units) only where one client is read, null while not known."""

    id = Text(required=True)
    name = Text(required=True)
    email = Text(required=True)
    phone = Text(allow_none=True)
    address = Part(Address, allow_none=True)
    tax_exempt = Flag(required=True)
    provider_ids = Many(Text(), required=True)
    status = Choice(*STATUSES, required=True)
    active = Flag(required=True)
    created_at = Moment(required=True)
    credit = Amount(allow_none=True)
    balance_due = Amount(allow_none=True)


class ClientFilter(Paged):
    q = Text(allow_none=True, load_default=None, most=100)
    provider_id = Id(allow_none=True, load_default=None)
    active = Flag(allow_none=True, load_default=None)


class NewCreditRefund(Words):
    amount = Amount(required=True, least=1)
    reason = Text(allow_none=True, load_default=None, most=500)


class InvitationRead(Words):
    """What an invitation says to whoever holds its link."""

    practice_name = Text(required=True)
    name = Text(required=True)
    email = Text(required=True)
    role = Text(required=True)
    has_password = Flag(required=True)


class Acceptance(Words):
    password = Password()


class Accepted(Words):
    person = Part(PersonRead, required=True)
    membership = Part(MembershipRead, required=True)


class ResetRequest(Words):
    email = Email(required=True)


class NewPassword(Words):
    password = Password(required=True)


class NewApiToken(Words):
    name = Text(required=True, most=100)


class ApiToken(Words):
    id = Text(required=True)
    name = Text(required=True)
    hint = Text(required=True)
    created_at = Moment(required=True)
    last_used_at = Moment(allow_none=True)


class ApiTokenMade(ApiToken):
    """A new token; `token` is told this once."""

    token = Text(required=True)
