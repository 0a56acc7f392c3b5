"""A browser before a deployed stack."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.person import Complaints

BROWSERS = ("chromium", "google-chrome", "chromium-browser")
# A browser that asks nobody outside: no updates, no lookups of its maker's hosts.
QUIET = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync", "--no-proxy-server"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The distribution's own browser; tests/packages installs it."""
    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    assert program, f"none of {', '.join(BROWSERS)} is here\nHINT: tests/packages"
    with sync_playwright() as playwright:
        # As root, as CI often is, Chromium's sandbox does not work; it only ever sees this stack's pages.
        flags = [*QUIET, "--no-sandbox"] if os.geteuid() == 0 else QUIET
        started = playwright.chromium.launch(executable_path=program, args=flags)
        yield started
        started.close()


@pytest.fixture
def complaints() -> Complaints:
    """What the console of `page` says."""
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
    """A window whose complaints are kept."""
    made = context.new_page()
    complaints.watch(made)
    return made
