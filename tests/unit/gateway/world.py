"""A gateway to test: its app on a fresh database, a clock that is set, and people who do what people do over HTTP."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from services.gateway.app import create_app
from services.gateway.people.delivering import run_due
from services.gateway.people.passwords import Passwords
from shared.clock import SetClock
from shared.keys import KeyRing, write_keys
from shared.migrating import upgrade
from shared.settings import Settings
from tests.unit.gateway.scripted import ScriptedBus

PASSWORD = "a good long passphrase"


class World:
    """One running gateway."""

    def __init__(self, folder: Path, **settings: str):
        write_keys(folder / "keys")
        self.settings = Settings.read({}, data=str(folder), development="1", **settings)
        upgrade("gateway", self.settings.database_url("gateway"))
        self.clock = SetClock(datetime(2026, 3, 2, 9, 0, tzinfo=UTC))
        self.keys = {name: KeyRing.read(folder / "keys" / f"{name}.json") for name in ("processors", "notifications")}
        self.bus = ScriptedBus(self.keys["notifications"])
        self.app = create_app(self.settings, self.bus, clock=self.clock, passwords=Passwords(1, 8))
        self.gateway = self.app.extensions["gateway"]

    def close(self) -> None:
        self.gateway.database.dispose()

    def later(self, **how_much: float) -> None:
        self.clock.at += timedelta(**how_much)

    def visitor(self) -> "Someone":
        return Someone(self)

    def admin(self, email: str = "ada@practice.example", practice: str = "Quiet Room") -> "Someone":
        """A new practice's first admin, signed in."""
        body = {"practice_name": practice, "name": "Ada Adams", "email": email, "password": PASSWORD}
        someone = self.visitor()
        someone.practice_id = someone.must("POST", "/practices", 201, json=body)["practice"]["id"]
        return someone.signs_in(email)

    def link_to(self, email: str) -> str:
        """The token of the newest letter to an address."""
        run_due(self.gateway)
        return next(one["link"] for one in reversed(self.bus.letters) if one["to"] == email).rpartition("/")[2]

    def joined(self, email: str) -> "Someone":
        """Whoever was invited at this address, with a password now, signed in."""
        someone = self.visitor()
        someone.must("POST", f"/invitations/{self.link_to(email)}", 200, json={"password": PASSWORD})
        return someone.signs_in(email)

    def provider(self, admin: "Someone", email: str = "pia@practice.example") -> "Someone":
        body = {"name": "Pia Poe", "email": email, "roles": ["provider"]}
        member_id = admin.must("POST", "/colleagues", 201, json=body)["id"]
        someone = self.joined(email)
        someone.member_id = member_id
        return someone

    def client(self, staff: "Someone", email: str = "cleo@home.example", **more: Any) -> "Someone":
        member_id = staff.must("POST", "/clients", 201, json={"name": "Cleo Clark", "email": email, **more})["id"]
        someone = self.joined(email)
        someone.member_id = member_id
        return someone


class Someone:
    """Somebody with a browser or a program."""

    def __init__(self, world: World):
        self.world, self.token, self.csrf = world, "", ""
        self.practice_id = self.member_id = ""
        self._browser = world.app.test_client(use_cookies=False)

    def ask(self, method: str, path: str, headers: dict | None = None, **more: Any) -> Any:
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        where = path if path.startswith(("/api/", "/docs", "/openapi", "/metrics", "/healthz", "/readyz")) else f"/api/v1{path}"
        return self._browser.open(where, method=method, headers={**sent, **(headers or {})}, **more)

    def must(self, method: str, path: str, status: int, **more: Any) -> Any:
        """The JSON of an answer that has this status."""
        answer = self.ask(method, path, **more)
        assert status == answer.status_code, (status, answer.status_code, answer.get_data(as_text=True))
        return answer.get_json(silent=True, force=True) if answer.data else None

    def signs_in(self, email: str, password: str = PASSWORD) -> "Someone":
        said = self.must("POST", "/session", 200, json={"email": email, "password": password})
        self.token, self.csrf, self.practice_id = said["token"], said["csrf_token"], said["acting_as"]["practice_id"]
        return self


def fields_of(problem: dict) -> list[str]:
    """The fields that a problem names."""
    return [error["field"] for error in problem.get("errors", [])]
