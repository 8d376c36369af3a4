"""The constant texts of mail: read from `templates/`, refused if they could tell anything but the practice's name and a link."""

import html
import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "templates"
PLACEHOLDERS = frozenset({"practice", "link"})
_MARKED = re.compile(r"\{([^{}]*)\}")


class WrongTemplate(ValueError):
    """A template can't be used; the message names the file and what is wrong."""


@dataclass(frozen=True)
class Template:
    """One message in its three forms."""

    subject: str
    text: str
    html: str

    def filled(self, practice: str, link: str) -> tuple[str, str, str]:
        """(subject, text, html) about this practice and link; nothing else can get in."""
        plain = {"practice": practice, "link": link}
        escaped = {name: html.escape(value) for name, value in plain.items()}
        return _fill(self.subject, plain), _fill(self.text, plain), _fill(self.html, escaped)


def load(folder: Path = FOLDER) -> dict[str, Template]:
    """Every message by its name. Raises WrongTemplate for a missing form or a placeholder that is not on the list."""
    return {
        path.name: Template(*(_read(path / form) for form in ("subject.txt", "body.txt", "body.html"))) for path in _folders(folder)
    }


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("_"))


def _read(path: Path) -> str:
    if not path.is_file():
        raise WrongTemplate(f"{path.parent.name} has no {path.name}.")
    text = path.read_text(encoding="utf-8")
    for name in _MARKED.findall(text):
        if name not in PLACEHOLDERS:
            raise WrongTemplate(
                f"{path.parent.name}/{path.name} holds {{{name}}}: only the practice's name and a link may be told outside."
            )
    if set("{}") & set(_MARKED.sub("", text)):
        raise WrongTemplate(f"{path.parent.name}/{path.name} holds a brace that belongs to nothing.")
    if path.name == "subject.txt" and (not text.strip() or "\n" in text.strip()):
        raise WrongTemplate(f"{path.parent.name}/{path.name} must be one line.")
    return text.strip() if path.name == "subject.txt" else text


def _fill(text: str, values: dict[str, str]) -> str:
    """One pass, so that a value that looks like a placeholder stays what it is."""
    return _MARKED.sub(lambda found: values[found.group(1)], text)
