"""An admin and a client, signed in at the pages of one practice."""

import pytest

from tests.unit.gateway.pages.browser import Browser


@pytest.fixture
def admin(world):
    someone = world.admin()
    browser = Browser(world, "ada@practice.example")
    browser.practice_id = someone.practice_id
    return browser


@pytest.fixture
def client(world):
    staff = world.admin()
    member = world.client(staff)
    browser = Browser(world, "cleo@home.example")
    browser.practice_id, browser.member_id = staff.practice_id, member.member_id
    return browser
