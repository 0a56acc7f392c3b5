"""What a person does first and what they would complain about, for every test of the pages.

A module of its own because fixtures are found by name, and these are called.
"""

from __future__ import annotations

import re

from playwright.sync_api import ConsoleMessage, Page

from tools.kit.stacks import REPOSITORY, Stack

SCREENSHOTS = REPOSITORY / "build/screenshots"


class Complaints(list[str]):
    """What the browser's console held against a page: script errors, refused styles, missing files."""

    def watch(self, page: Page) -> None:
        """Keeps what the console says of `page` from now on."""
        page.on("pageerror", lambda error: self.append(str(error)))
        page.on("console", self._told)

    def _told(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.append(f"{message.text} ({message.location.get('url', '')})")


def sign_in(page: Page, stack: Stack) -> None:
    """As the first superuser, with the generated password."""
    page.goto(stack.url())
    identify(page, stack)


def identify(page: Page, stack: Stack) -> None:
    """On the sign-in page, wherever one was sent there from."""
    page.get_by_label("Username").fill(stack.settings.get("ADMIN_USERNAME", "admin"))
    page.get_by_label("Password").fill(stack.secret("app_admin_password"))
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign out").wait_for()


def picture(page: Page, name: str) -> None:
    """The whole page, in build/screenshots, for people to look at."""
    assert re.fullmatch(r"[a-z-]+", name)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
