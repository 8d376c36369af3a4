"""Coming in and going out: sign-up, sign-in, sign-out, roles, invitations, confirmed addresses, forgotten passwords."""

from flask import Response, g, request

from services.gateway.caller import clear_session_cookie, gateway, set_session_cookie, signed_in
from services.gateway.pages.forms import Form, secret, text
from services.gateway.pages.page import go, home, key_of, local_address, pages, show, through
from services.gateway.pages.returning import Kept, carried, go_on
from services.gateway.subjects import confirmations, invitations, password_resets, practices, sessions
from shared.caller import Caller
from shared.faults import Fault


@pages.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> Response:
    wanted = local_address(request.args.get("next"))

    def act(form: Form) -> Response:
        return _entered(form.body(email=text, password=secret), wanted, kept=carried(form))

    return through(act, lambda form: show("sign_in.html", form=form, wanted=wanted, kept=carried(form)))


def _entered(body: dict, wanted: str, message: str = "", kept: Kept | None = None) -> Response:
    """Signed in with this address and password, and on to what was wanted, or back to what was being typed."""
    session = sessions.sign_in(gateway(), body, request.remote_addr or "").data
    if kept:
        return set_session_cookie(go_on(kept, session["csrf_token"]), session["token"])
    where = wanted if wanted != "/" else home(session["acting_as"]["role"])
    return set_session_cookie(go(where, message), session["token"])


@pages.route("/sign-up", methods=["GET", "POST"])
def sign_up() -> Response:
    def act(form: Form) -> Response:
        body = form.body(practice_name=text, name=text, email=text, password=secret)
        practices.sign_up(gateway(), body, Caller(practice_id="", role="anyone", key=key_of(form)))
        entry = {name: body[name] for name in ("email", "password")}
        return _entered(entry, "/", "Your practice is ready. The list below shows what to do next.")

    return through(act, lambda form: show("sign_up.html", form=form))


@pages.post("/sign-out")
def sign_out() -> Response:
    if g.asker:
        sessions.sign_out(g.asker)
    return clear_session_cookie(go("/sign-in", "You are signed out."))


@pages.post("/session/role")
@signed_in
def switch_role() -> Response:
    session = sessions.switch_role(g.asker, Form(request.form).body(practice_id=text, role=text)).data
    acting = session["acting_as"]
    message = f"You are now acting as {acting['role'].capitalize()} at {acting['practice_name']}."
    return set_session_cookie(go(home(acting["role"]), message), session["token"])


@pages.route("/invitations/<token>", methods=["GET", "POST"])
def invitation(token: str) -> Response:
    """Accept with a new password; whoever has one already signs in with it (or is signed in) instead."""

    def act(form: Form) -> Response:
        body, remote = form.body(password=secret), request.remote_addr or ""
        accepted = invitations.accept(gateway(), token, body, g.asker, remote, key_of(form)).data
        message = f"You are now with {accepted['membership']['practice_name']}."
        if g.asker and g.asker.person["id"] == accepted["person"]["id"]:
            return go("/account", f"{message} Switch to it at the top right.")
        return _entered({"email": accepted["person"]["email"], **body}, "/", message)

    def draw(form: Form) -> Response:
        found = invitations.look_up(gateway(), token).data
        same_person = bool(g.asker) and g.asker.person["email"] == found["email"]
        return show("invitation.html", form=form, invitation=found, same_person=same_person)

    return through(act, draw)


@pages.route("/confirmations/<token>", methods=["GET", "POST"])
def confirmation(token: str) -> Response:
    """A button rather than the visit itself confirms, because mail programs visit links on their own."""

    def act(form: Form) -> Response:
        confirmations.confirm(gateway(), token)
        return go(home(g.asker.role) if g.asker else "/sign-in", "Your address is confirmed.")

    return through(act, lambda form: show("confirmation.html", form=form))


@pages.post("/confirmations")
@signed_in
def confirmation_again() -> Response:
    confirmations.ask_again(g.asker)
    return go("/account", f"We sent a new link to {g.asker.person['email']}.")


@pages.route("/password-resets", methods=["GET", "POST"])
def password_resets_begin() -> Response:
    def act(form: Form) -> Response:
        password_resets.begin(gateway(), form.body(email=text))
        return go("/sign-in", "If that address is known here, a link to set a new password is on its way to it.")

    return through(act, lambda form: show("password_resets.html", form=form))


@pages.route("/password-resets/<token>", methods=["GET", "POST"])
def password_reset(token: str) -> Response:
    try:
        password_resets.look_up(gateway(), token)
    except Fault as fault:
        if fault.kind != "not_found":
            raise
        return show("expired_link.html", status=404)

    def act(form: Form) -> Response:
        password_resets.finish(gateway(), token, form.body(password=secret))
        return go("/sign-in", "Your new password is set. Sign in with it.")

    return through(act, lambda form: show("password_reset.html", form=form))
