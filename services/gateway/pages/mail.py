"""The mail that was kept instead of sent: in development, where no SMTP server is set."""

from flask import Response

from services.gateway.caller import gateway
from services.gateway.pages.page import must, pages, show
from services.gateway.subjects import mail as subject


@pages.get("/demo/mail")
def mail() -> Response:
    settings = gateway().settings
    must(settings.development and not settings.smtp_url)
    return show("mail.html", mails=subject.list_kept_mail(gateway()).data["data"])
