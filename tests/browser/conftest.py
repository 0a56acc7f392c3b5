"""A browser before a deployed stack, and pictures of what it shows."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "deploy"))

from stacks import REPOSITORY, Stack, new_stack, warm_stack

SCREENSHOTS = REPOSITORY / "build/screenshots"
BROWSERS = ("chromium", "google-chrome", "chromium-browser")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A deployed stack with one account and one transaction in it; destroyed at the end."""
    if warm := os.environ.get("LEDGERFLOW_TEST_STACK"):
        yield warm_stack(Path(warm), tmp_path_factory.mktemp("warm"))
        return
    for fresh in new_stack(tmp_path_factory.mktemp("stack")):
        fresh.deploy()
        fresh.add_row("the row that must survive")
        yield fresh


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The distribution's own browser; tests/packages installs it."""
    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    assert program, f"none of {', '.join(BROWSERS)} is here\nHINT: tests/packages"
    with sync_playwright() as playwright:
        # As root, as CI often is, Chromium's sandbox does not work; it only ever sees this stack's pages.
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        started = playwright.chromium.launch(executable_path=program, args=flags)
        yield started
        started.close()


class Complaints(list[str]):
    """What the browser's console held against a page: script errors, refused styles, missing files."""

    def watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.append(str(error)))
        page.on("console", self._told)

    def _told(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.append(f"{message.text} ({message.location.get('url', '')})")


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A person's browser: its own cookies, an ordinary window."""
    one = browser.new_context(viewport={"width": 1200, "height": 800}, locale="en-GB")
    one.set_default_timeout(20_000)
    yield one
    one.close()


@pytest.fixture
def page(context: BrowserContext, complaints: Complaints) -> Page:
    made = context.new_page()
    complaints.watch(made)
    return made


def sign_in(page: Page, stack: Stack) -> None:
    """The first superuser, with the generated password."""
    page.goto(stack.url())
    page.get_by_label("Username").fill(stack.settings.get("ADMIN_USERNAME", "admin"))
    page.get_by_label("Password").fill(stack.secret("app_admin_password"))
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign out").wait_for()


def picture(page: Page, name: str) -> None:
    """A picture of the whole page in build/screenshots."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    assert re.fullmatch(r"[a-z-]+", name)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
