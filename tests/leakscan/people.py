"""Whoever asks the gateway, by the API or with a browser: as `tests.api` has them, and everything that is answered is kept for the scan."""

import html
import re
from dataclasses import dataclass, field
from typing import Any

import requests
from werkzeug.exceptions import HTTPException

from tests.api import Person
from tests.leakscan.canaries import Canaries
from tests.system import System


@dataclass(frozen=True)
class Reader:
    """Who gets an answer: a role, and where (a practice, and for a client which one)."""

    role: str = "nobody"
    practice: str = ""
    client: str = ""


@dataclass
class Answer:
    """One answer of the gateway: to whom, on which rule of the URL map, and what it said."""

    reader: Reader
    method: str
    rule: str
    status: int
    headers: list[str]
    body: bytes


@dataclass
class Answers:
    """All answers, and the rules that were reached."""

    rules: Any  # werkzeug's map, bound
    canaries: Canaries
    kept: list[Answer] = field(default_factory=list)

    def keep(self, reader: Reader, method: str, path: str, answer: requests.Response) -> None:
        try:
            rule = self.rules.match(path.split("?")[0], method=method, return_rule=True)[0].rule
        except HTTPException as none:
            rule = f"({none.code})"
        # How long an answer is may be any four digits, a security code's too.
        headers = [f"{name}: {value}" for name, value in answer.raw.headers.items() if name != "Content-Length"]
        self.kept.append(Answer(reader, method, rule, answer.status_code, headers, answer.content))
        self._learn(rule, answer)

    def _learn(self, rule: str, answer: requests.Response) -> None:
        """The secrets that an answer rightly gives are canaries everywhere else."""
        for cookie in answer.cookies:
            if cookie.name.endswith("session"):
                self.canaries.learn("session", cookie.value or "")
        if answer.ok and rule in ("/api/v1/session", "/api/v1/session/role", "/api/v1/api-tokens"):
            said = answer.json() if answer.content else {}
            kind = "api_token" if rule.endswith("tokens") else "session"
            self.canaries.learn(kind, said.get("token") or "")

    def reached(self) -> set[str]:
        """`METHOD rule` of everything that was answered well at least once."""
        return {f"{one.method} {one.rule}" for one in self.kept if one.status < 400}


class Watched(Person):
    """Somebody at the API, or at the pages with a browser of their own."""

    def __init__(self, system: System, answers: Answers, reader: Reader | None = None):
        super().__init__(system)
        self.answers, self.reader, self.email = answers, reader or Reader(), ""
        self.browser = requests.Session()

    def ask(self, method: str, path: str, body: object = None, **options: Any) -> requests.Response:
        answer = super().ask(method, path, body, **options)
        self.answers.keep(self.reader, method, path, answer)
        return answer

    # with a browser

    def see(self, path: str) -> str:
        """A page, as text."""
        return self._browse("GET", path).text

    def send(self, path: str, form_at: str = "", **fields: Any) -> requests.Response:
        """Fill in the form at an address and send it: names as the API has them, `__` for the hyphen of nested ones."""
        page = self.see(form_at or path)
        hidden = {name: html.unescape(found[1]) for name in ("csrf_token", "idempotency_key") if (found := _hidden(page, name))}
        typed = {name.replace("__", "-"): value for name, value in fields.items()}
        return self._browse("POST", path, {**hidden, **typed})

    def _browse(self, method: str, path: str, data: dict | None = None) -> requests.Response:
        answer = self.browser.request(method, self.system.url + path, data=data, timeout=60, allow_redirects=False)
        self.answers.keep(self.reader, method, path, answer)
        return answer


def _hidden(page: str, name: str) -> re.Match[str] | None:
    return re.search(rf'name="{name}" value="([^"]*)"', page)
