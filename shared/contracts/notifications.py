"""What notifications offers: alerts in the app, mail, and the copies of addresses (sealed) that it needs for them."""

from shared.contract import Call, Contract
from shared.contracts.parts import Copied, Done, Paged, PracticeCopy
from shared.fields import Choice, Flag, Id, Many, Moment, Page, Text, Whole, Words

LETTERS = ("client_invitation", "colleague_invitation", "password_reset", "confirm_address")


class MemberCopy(Words):
    """Whom alerts of a practice can go to. `sealed_address` opens to the email address (info: `address|practice|member`)."""

    version = Whole(required=True, least=1)
    member_id = Id(required=True)
    roles = Many(Choice("admin", "provider", "client"), required=True, least=1)
    sealed_address = Text(required=True, most=4000)
    active = Flag(required=True)


class Letter(Words):
    """One mail with a link that works once. `sealed` opens to JSON `{to, link}` (info: `letter|practice|letter_id`)."""

    letter_id = Id(required=True)
    kind = Choice(*LETTERS, required=True)
    sealed = Text(required=True, most=8000)


class Alert(Words):
    """One alert in the app; `text` is for the reader's eyes inside the app, `path` the page it is about."""

    id = Id(required=True)
    kind = Text(required=True)
    text = Text(required=True)
    path = Text(required=True)
    created_at = Moment(required=True)
    read_at = Moment(allow_none=True)


class AlertPage(Words):
    data = Many(Alert, required=True)
    next_cursor = Text(allow_none=True)
    unread = Whole(required=True)


class AlertId(Words):
    alert_id = Id(required=True)


class Unread(Words):
    unread = Whole(required=True)


class Preferences(Words):
    """Which channels a person wants besides the app itself, and whether the amount may be told outside."""

    email = Flag(load_default=True)


class DeliveryFilter(Paged):
    status = Choice("waiting", "sent", "parked", allow_none=True, load_default=None)


class Delivery(Words):
    """One alert or letter on its way by one channel."""

    id = Id(required=True)
    kind = Text(required=True)
    channel = Text(required=True)
    member_id = Text(allow_none=True)
    status = Choice("waiting", "sent", "parked", required=True)
    tries = Whole(required=True)
    problem = Text(allow_none=True)
    created_at = Moment(required=True)
    sent_at = Moment(allow_none=True)


class DeliveryId(Words):
    delivery_id = Id(required=True)


class Mail(Words):
    """A mail that was kept as a file because no SMTP server is set (development and demo)."""

    name = Text(required=True)
    at = Moment(required=True)
    to = Text(required=True)
    subject = Text(required=True)
    body = Text(required=True, most=20000, multiline=True)


class MailBox(Words):
    data = Many(Mail, required=True)


class Notifications(Contract):
    service = "notifications"

    put_practice = Call(takes=PracticeCopy, gives=Copied)
    put_member = Call(takes=MemberCopy, gives=Copied)
    send_letter = Call(takes=Letter, gives=Done)
    list_alerts = Call(takes=Paged, gives=AlertPage)
    count_unread = Call(gives=Unread)
    read_alert = Call(takes=AlertId, gives=Alert)
    read_preferences = Call(gives=Preferences)
    change_preferences = Call(takes=Preferences, gives=Preferences)
    list_deliveries = Call(takes=DeliveryFilter, gives=Page(Delivery))
    resend_delivery = Call(takes=DeliveryId, gives=Delivery)
    list_kept_mail = Call(gives=MailBox)
