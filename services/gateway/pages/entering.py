"""Coming in and going out: sign-up, sign-in, sign-out, roles, invitations, confirmed addresses, forgotten passwords."""

from flask import Response, g, request

from services.gateway.caller import clear_session_cookie, gateway, set_session_cookie, signed_in
from services.gateway.pages.forms import Form, secret, text
from services.gateway.pages.page import Act, go, home, key_of, keyed, local_address, pages, pressed, show, through
from services.gateway.pages.returning import Kept, carried, go_on
from services.gateway.subjects import confirmations, invitations, password_resets, practices, sessions
from shared.caller import Caller
from shared.faults import NotFound


@pages.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> Response:
    wanted = local_address(request.args.get("next"))
    if request.method == "GET" and g.asker and wanted != "/":
        return go(wanted)

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
        practices.sign_up(gateway(), body, _anyone(form))
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
    form = Form(request.form)
    session = sessions.switch_role(g.asker, form.body(practice_id=text, role=text)).data
    acting = session["acting_as"]
    message = f"You are now acting as {acting['role'].capitalize()} at {acting['practice_name']}."
    where = local_address(form.typed.get("next"), home(acting["role"]))
    return set_session_cookie(go(where, message), session["token"])


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

    return _by_link("invitation", act, draw)


@pages.route("/confirmations/<token>", methods=["GET", "POST"])
def confirmation(token: str) -> Response:
    """A button rather than the visit itself confirms, because mail programs visit links on their own."""

    def act(form: Form) -> Response:
        confirmations.confirm(gateway(), token, _anyone(form))
        return go(home(g.asker.role) if g.asker else "/sign-in", "Your address is confirmed.")

    def draw(form: Form) -> Response:
        confirmations.look_up(gateway(), token)
        return show("confirmation.html", form=form)

    return _by_link("confirmation", act, draw)


@pages.post("/confirmations")
@signed_in
def confirmation_again() -> Response:
    def act(form: Form) -> Response:
        confirmations.ask_again(keyed(form))
        return go("/account", f"We sent a new link to {g.asker.person['email']}.")

    return pressed(act, "/account")


@pages.route("/password-resets", methods=["GET", "POST"])
def password_resets_begin() -> Response:
    def act(form: Form) -> Response:
        password_resets.begin(gateway(), form.body(email=text), _anyone(form))
        return go("/sign-in", "If that address is known here, a link to set a new password is on its way to it.")

    return through(act, lambda form: show("password_resets.html", form=form))


@pages.route("/password-resets/<token>", methods=["GET", "POST"])
def password_reset(token: str) -> Response:
    def act(form: Form) -> Response:
        password_resets.finish(gateway(), token, form.body(password=secret), key_of(form))
        return go("/sign-in", "Your new password is set. Sign in with it.")

    def draw(form: Form) -> Response:
        password_resets.look_up(gateway(), token)
        return show("password_reset.html", form=form)

    return _by_link("reset", act, draw)


def _by_link(kind: str, act: Act, draw: Act) -> Response:
    """The way of a form that a link in a mail leads to; a link that doesn't work says what to do, the same for every reason."""
    try:
        return through(act, draw)
    except NotFound as gone:
        if gone.code != "link_gone":
            raise
        return show("expired_link.html", kind=kind, status=404)


def _anyone(form: Form) -> Caller:
    """Somebody not known, with the form's key: sent twice it is done once."""
    return Caller(practice_id="", role="anyone", key=key_of(form))
