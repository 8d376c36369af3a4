"""What every template keeps to: no script or style inside, each form with its hidden keys, every symbol drawn exists."""

import re
from pathlib import Path

import pytest

from services.gateway import pages
from services.gateway.pages import words

FOLDER = Path(pages.__file__).parents[1]
TEMPLATES = sorted((FOLDER / "templates").rglob("*.html"))
SOURCES = {str(path.relative_to(FOLDER / "templates")): path.read_text() for path in TEMPLATES}
TABLES = (words.INVOICE, words.MONEY, words.PROCESSOR, words.MEMBER, words.DELIVERY)
STYLE = (FOLDER / "static/style.css").read_text()


@pytest.mark.parametrize("name", SOURCES)
def test_no_script_or_style_inside(name):
    """The security policy forbids script and style inside a page, so no template has any; scripts come from our own file."""
    source = SOURCES[name]
    assert not re.findall(r"\sstyle\s*=|<style|\son\w+\s*=\s*[\"']|javascript:", source)
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", source, re.DOTALL)
    assert all(not inside.strip() for inside in scripts)
    assert not re.findall(r"(?:src|href|action)=\"(?:https?:)?//", source)


@pytest.mark.parametrize("name", SOURCES)
def test_every_form_that_changes_something_has_its_hidden_keys(name):
    """A POST form holds the CSRF token and an idempotency key, by `hidden`; forms with GET change nothing.

    One that leads to the processor's page holds neither: they are nobody else's.
    """
    for form in re.findall(r"<form\b.*?</form>", SOURCES[name], re.DOTALL):
        if "data-elsewhere" in form:
            assert "hidden(" not in form
            continue
        assert 'method="get"' in form or re.search(r"(?:ask\.)?hidden\(", form), form[:120]


def test_the_hidden_keys_are_both_there():
    """`hidden` draws csrf_token and idempotency_key."""
    macro = re.search(r"macro hidden\(.*?endmacro", SOURCES["parts/form.html"], re.DOTALL)[0]
    assert all(f'name="{name}"' in macro for name in ("csrf_token", "idempotency_key"))


def test_every_symbol_that_is_drawn_exists():
    """Icons named in templates and in the words of statuses are symbols of the sprite."""
    there = set(re.findall(r'id="i-([a-z]+)"', SOURCES["parts/sprite.html"]))
    drawn = {name for source in SOURCES.values() for name in re.findall(r'(?:icon|mark)\("([a-z]+)"\)', source)}
    said = {status.icon for table in TABLES for status in table.values()}
    assert drawn | said | {words.ON.icon, words.OFF.icon} <= there


def test_every_look_of_a_status_has_its_colours():
    """A status's look is a class of the stylesheet, with colours for light and dark."""
    for look in {status.look for table in TABLES for status in table.values()}:
        assert f".{look} {{ color: var(--{look})" in STYLE
        assert 2 == len(re.findall(rf"--{look}: #", STYLE))


def test_templates_load_nothing_from_elsewhere():
    """Neither pages nor the stylesheet load anything from another host."""
    assert not re.findall(r"@import|url\(", STYLE)
