"""A person at the web client: a real Chromium, driven by what is on the page. CLIENTBILLING_TEST_SCREENSHOTS keeps pictures."""

import os
import shutil
from pathlib import Path

from playwright.sync_api import ConsoleMessage, Error, Page

from tests import engines

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
# Quiet starts: the browser asks nobody for anything but our own pages.
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
# How people come: with script on a wide window, and without on a phone.
WAYS = {
    "scripted-1280": {"viewport": {"width": 1280, "height": 900}},
    "plain-360": {"viewport": {"width": 360, "height": 740}, "java_script_enabled": False},
}


def find_browser() -> str | None:
    """A Chromium to drive; None, and a line at the end of the run, where there is none."""
    named = os.environ.get("CLIENTBILLING_TEST_BROWSER")
    found = named or next(filter(None, map(shutil.which, _NAMES)), None) or (_MAC if Path(_MAC).exists() else None)
    if found is None:
        engines.NOT_RUN.append(
            "the journey in a browser: no Chromium here (apt-get install chromium, or set CLIENTBILLING_TEST_BROWSER)"
        )
    return found


class Visitor:
    """One browser window of one person; every step asserts that the page answered as a page."""

    def __init__(self, page: Page, url: str, name: str):
        self.page, self.url, self.name, self.count = page, url, name, 0
        self.troubles: list[str] = []
        page.on("pageerror", lambda error: self.troubles.append(f"script: {error}"))
        page.on("console", self._hear)

    def _hear(self, said: ConsoleMessage) -> None:
        if said.type == "error" and "status of 4" not in said.text:  # a form that came back is no trouble
            self.troubles.append(f"console: {said.text} at {self.page.url}")

    def go(self, path: str) -> "Visitor":
        try:
            answer = self.page.goto(self.url + path)
        except Error as trouble:
            if "ERR_ABORTED" not in str(trouble):
                raise
            answer = self.page.goto(self.url + path)  # the page that was there was just going on by itself
        assert answer is not None
        assert answer.status < 400, f"{path}: {answer.status}"
        return self.picture()

    def fill(self, **fields: str) -> "Visitor":
        for name, value in fields.items():
            self.page.locator(f'[name="{name.replace("__", "-")}"]').first.fill(value)
        return self

    def tick(self, label: str) -> "Visitor":
        self.page.get_by_label(label).check()
        return self

    def press(self, button: str) -> "Visitor":
        self.page.get_by_role("button", name=button).first.click()
        self.page.wait_for_load_state()
        return self.picture()

    def unfold(self, words: str) -> "Visitor":
        """Open what says first what a button will do, and shows the button."""
        self.page.locator("summary", has_text=words).first.click()
        return self

    def follow(self, link: str) -> "Visitor":
        self.page.locator("main").get_by_role("link", name=link).first.click()
        self.page.wait_for_load_state()
        return self.picture()

    def arrives(self, path: str) -> "Visitor":
        """Wait until the window is at a path of ours, whatever a page of somebody else's left behind the `#`."""
        self.page.wait_for_url(lambda url: url.split("#")[0] == self.url + path)
        return self

    def sees(self, *texts: str) -> "Visitor":
        shown = self.page.locator("body").inner_text()
        for text in texts:
            assert text in shown, f"{self.page.url} does not say {text!r}:\n{shown[:3000]}"
        return self

    def picture(self) -> "Visitor":
        """Keep what is shown; and nothing may be wider than the window."""
        if folder := os.environ.get("CLIENTBILLING_TEST_SCREENSHOTS"):
            self.count += 1
            name = (
                "-".join(part for part in self.page.url.removeprefix(self.url).split("?")[0].split("/") if "_" not in part)
                or "home"
            )
            self.page.screenshot(path=Path(folder) / f"{self.name}-{self.count:03d}-{name[:60]}.png", full_page=True)
        return self

    def fits(self) -> bool:
        """Whether the page is no wider than its window."""
        return self.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
