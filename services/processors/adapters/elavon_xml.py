"""The XML that Converge speaks, written so that no value can break it and read without trust. What it means is the adapter's."""

from dataclasses import dataclass, field
from html import escape
from typing import Any
from xml.parsers import expat

MOST = 1_000_000  # bytes of an answer; lists are asked for in short spans of time


class NotAnAnswer(ValueError):
    """These bytes are not what Converge answers; the message never holds any of them."""


@dataclass(frozen=True)
class Answer:
    """A `<txn>` as its fields, or a `<txnlist>` as rows of them; empty elements are empty text. `header` is AuthResponse."""

    fields: dict[str, str] = field(default_factory=dict)
    rows: list[dict[str, str]] | None = None
    header: str = ""


def write(fields: dict[str, str]) -> str:
    """The `<txn>` document of a request; the form encoding comes on top."""
    return "<txn>" + "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items()) + "</txn>"


def read(body: bytes, header: str = "") -> Answer:
    """The answer in `body`; raises NotAnAnswer for anything else.

    Nothing is declared or referred to in it: a DTD is refused by the parser's own hook, in whatever encoding it comes, so
    no entity can be defined and nothing outside is fetched.
    """
    if len(body) > MOST:
        raise NotAnAnswer("too long")
    reader = _Reader()
    try:
        reader.parser.Parse(body, True)
    except NotAnAnswer:
        raise
    except (expat.ExpatError, ValueError, LookupError):
        raise NotAnAnswer("not XML") from None
    return reader.answer(header)


class _Reader:
    """Collects what the parser meets: a `<txn>` of plain fields, alone or in rows."""

    def __init__(self) -> None:
        self.path: list[str] = []
        self.top: dict[str, str] = {}
        self.rows: list[dict[str, str]] = []
        self.root, self.text = "", ""
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self.refuse
        self.parser.EntityDeclHandler = self.refuse
        self.parser.ExternalEntityRefHandler = self.refuse
        self.parser.SkippedEntityHandler = self.refuse
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.letters

    def refuse(self, *_: object) -> Any:
        raise NotAnAnswer("declares or refers to something")

    def start(self, name: str, _attributes: dict) -> None:
        self.path.append(name)
        where, self.text = self.path[:-1], ""
        if not where:
            if name not in ("txn", "txnlist"):
                raise NotAnAnswer("another document")
            self.root = name
        elif where == ["txnlist"] and name == "txn":
            self.rows.append({})
        elif where not in (["txn"], ["txnlist"], ["txnlist", "txn"]):
            raise NotAnAnswer("nested")

    def letters(self, text: str) -> None:
        self.text += text

    def end(self, name: str) -> None:
        self.path.pop()
        if self.path and name != "txn":
            kept = self.rows[-1] if self.path == ["txnlist", "txn"] else self.top
            if name in kept:
                raise NotAnAnswer("says something twice")
            kept[name] = self.text.strip()
        self.text = ""

    def answer(self, header: str) -> Answer:
        if self.root == "txn" or "errorCode" in self.top:
            return Answer(self.top, None, header)
        count = self.top.get("ssl_txn_count", str(len(self.rows)))
        if count != str(len(self.rows)):
            raise NotAnAnswer("not the whole list")
        return Answer({}, self.rows, header)
