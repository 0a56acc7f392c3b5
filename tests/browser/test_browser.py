"""What the bookkeeper does, through Caddy: sign in, add, find, upload, search; and stay signed in when things fail."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.deploy.conftest import stack as stack  # deployed once for this session
from tests.deploy.stacks import REPOSITORY, Stack

OUTAGE_SECONDS = 60
BANK_FILE = REPOSITORY.parent / "shared/data/statements/dcool_wells_fargo.csv"


SCREENSHOTS = REPOSITORY / "build/screenshots"
# A browser that asks nobody outside: no updates, no lookups of its maker's hosts.
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync", "--no-proxy-server"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    assert program, "no browser; tests/packages installs one"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=QUIET)
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(20_000)
    yield opened
    context.close()


def shot(page: Page, name: str) -> None:
    """A picture for people, in build/screenshots."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def sign_in(stack: Stack, page: Page) -> None:
    page.goto(stack.url())
    expect(page).to_have_url(stack.url(path="/sign-in/?next=/"))
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(stack.secret("app_admin_password"))
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(stack.url())


def test_a_wrong_password_is_refused(stack: Stack, page: Page) -> None:
    page.goto(stack.url())
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    shot(page, "1-sign-in-refused")


def test_a_transaction_is_added_and_found(stack: Stack, page: Page) -> None:
    sign_in(stack, page)
    page.goto(stack.url(path="/transactions/add/"))
    page.get_by_label("Account").select_option(label="Test")
    page.get_by_label("Date").fill("2025-03-04")
    page.get_by_label("Amount").fill("-1234567890123.45")
    page.get_by_label("Description").fill("Quarterly rent of the orangery")
    shot(page, "2-add")
    page.get_by_role("button", name="Save").click()
    page.goto(stack.url(path="/?q=orangery"))
    expect(page.get_by_role("table")).to_contain_text("Quarterly rent of the orangery")
    expect(page.get_by_role("table")).to_contain_text("1,234,567,890,123.45")
    shot(page, "3-found")
    page.goto(stack.url(path="/?q=no+such+thing"))
    expect(page.get_by_text("Quarterly rent of the orangery")).to_have_count(0)


def test_the_search_engine_finds_ones_own_ledger(stack: Stack, page: Page) -> None:
    page.goto(stack.url("SEARXNG", "/search?q=survive"))
    expect(page.locator("body")).to_contain_text("the row that must survive")
    shot(page, "4-searxng")


def test_adminer_shows_its_sign_in_page(stack: Stack, page: Page) -> None:
    page.goto(stack.url("ADMINER"))
    expect(page.locator("input[name='auth[server]']")).to_have_value(f"{stack.id}-postgres")
    shot(page, "5-adminer")


@pytest.mark.skipif(not BANK_FILE.exists(), reason="the shared statements are not on this machine; until they are")
def test_a_real_statement_is_uploaded_once_and_adds_nothing_twice(stack: Stack, page: Page) -> None:
    before = len(stack.rows())
    sign_in(stack, page)
    for added in (5, 0):
        page.goto(stack.url(path="/statements/"))
        page.get_by_label("Account").select_option(label="Test")
        page.locator("input[type=file]").set_input_files(BANK_FILE)
        page.get_by_role("button", name="Import").click()
        expect(page.locator("main")).to_contain_text(f"{added}")
        assert len(stack.rows()) == before + 5
    shot(page, "6-imported")


def outage(stack: Stack, *services: str) -> None:
    for service in services:
        stack.docker("stop", f"{stack.id}-{service}")
    time.sleep(OUTAGE_SECONDS)


def test_pages_and_sign_ins_survive_a_minute_without_redis(stack: Stack, page: Page) -> None:
    sign_in(stack, page)
    outage(stack, "redis-queue", "redis-cache")
    page.goto(stack.url(path="/?q=survive"))
    expect(page.get_by_role("table")).to_contain_text("the row that must survive")
    for service in ("redis-queue", "redis-cache"):
        stack.docker("start", f"{stack.id}-{service}")
    stack.wait_until_healthy()
    page.goto(stack.url())
    expect(page).to_have_url(stack.url())


def test_everything_returns_after_a_minute_without_postgresql(stack: Stack, page: Page) -> None:
    sign_in(stack, page)
    outage(stack, "postgres")
    stack.docker("start", f"{stack.id}-postgres")
    stack.wait_until_healthy()
    page.goto(stack.url(path="/?q=survive"))
    expect(page.get_by_role("table")).to_contain_text("the row that must survive")


def test_crashed_processes_return_by_themselves_and_the_sign_in_holds(stack: Stack, page: Page) -> None:
    """A crash is a process that ends by itself: `docker kill` would count as stopped by hand."""
    sign_in(stack, page)
    before = stack.containers()
    for service in before:
        pid = stack.docker("inspect", "-f", "{{.State.Pid}}", f"{stack.id}-{service}")
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in children:
            Path(f"/proc/{child}/comm").read_text()  # still there
            stack.crash(int(child))
    stack.wait_for(lambda: all(now[1] != before[name][1] for name, now in stack.containers().items()))
    stack.wait_until_healthy()
    page.goto(stack.url(path="/?q=survive"))
    expect(page.get_by_role("table")).to_contain_text("the row that must survive")
