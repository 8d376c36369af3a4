"""The constant texts of mail: every message has them, and none can tell more than the practice's name and a link."""

import pytest

from services.notifications import texts
from shared.contracts.notifications import LETTERS

from .test_mail import EVENTS


def test_every_message_has_its_template():
    """Each alert to clients and staff and each letter has its three texts."""
    others = {"staff_payment_received", "staff_payment_failed", "credentials_refused", "card_expiring"}
    assert {*EVENTS, *others, *LETTERS} == set(texts.load())


@pytest.mark.parametrize("word", ["{amount}", "{name}", "{practice.version}", "{}", "{link", "{{practice}}", "{PRACTICE}"])
@pytest.mark.parametrize("form", ["subject.txt", "body.txt", "body.html"])
def test_a_template_that_could_tell_more_can_t_be_loaded(tmp_path, form, word):
    """Any placeholder but the practice's name and the link, or a stray brace, is refused with the file's name."""
    folder = tmp_path / "message"
    folder.mkdir()
    for name in ("subject.txt", "body.txt", "body.html"):
        (folder / name).write_text("{practice}: see {link}")
    assert ["message"] == list(texts.load(tmp_path))
    (folder / form).write_text(f"{{practice}} {word}")
    with pytest.raises(texts.WrongTemplate, match=f"message/{form}"):
        texts.load(tmp_path)


def test_a_practice_s_name_can_t_bring_in_a_placeholder_or_markup():
    """A name that looks like a placeholder or a tag stays what it is."""
    template = texts.Template("{practice}", "{practice} {link}", "<p>{practice}</p>")
    filled = template.filled("{link} <b>", "https://x.example")
    assert ("{link} <b>", "{link} <b> https://x.example", "<p>{link} &lt;b&gt;</p>") == filled
