"""What the bookkeeper notices when services stop or crash: pages return by themselves, and the sign-in holds."""

from __future__ import annotations

import os
import time
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.person import sign_in
from tools.kit.stacks import Stack

OUTAGE_SECONDS = float(os.environ.get("LEDGERFLOW_OUTAGE_SECONDS", "20"))  # a minute in `make soak`


def stop_for_a_while(stack: Stack, *services: str) -> None:
    for service in services:
        stack.docker("stop", f"{stack.id}-{service}")
    time.sleep(OUTAGE_SECONDS)


def start_again(stack: Stack, *services: str) -> None:
    for service in services:
        stack.docker("start", f"{stack.id}-{service}")
    stack.wait_until_healthy()


def still_there_and_signed_in(stack: Stack, page: Page) -> None:
    page.goto(stack.url(path="/?q=survive"))
    expect(page).to_have_url(stack.url(path="/?q=survive"))  # and not the page to sign in
    expect(page.get_by_role("table")).to_contain_text("the row that must survive")


def test_pages_and_sign_ins_work_through_a_while_without_redis(stack: Stack, page: Page) -> None:
    sign_in(page, stack)
    stop_for_a_while(stack, "redis-queue", "redis-cache")
    still_there_and_signed_in(stack, page)
    start_again(stack, "redis-queue", "redis-cache")
    still_there_and_signed_in(stack, page)


def test_everything_returns_after_a_while_without_postgresql(stack: Stack, page: Page) -> None:
    sign_in(page, stack)
    stop_for_a_while(stack, "postgres")
    start_again(stack, "postgres")
    still_there_and_signed_in(stack, page)


def test_crashed_processes_return_by_themselves_and_the_sign_in_holds(stack: Stack, page: Page) -> None:
    """A crash is a process that ends by itself: `docker kill` would count as stopped by hand."""
    sign_in(page, stack)
    before = stack.containers()
    for service in before:
        pid = stack.docker("inspect", "-f", "{{.State.Pid}}", f"{stack.id}-{service}")
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for child in children:
            Path(f"/proc/{child}/comm").read_text()  # still there
            stack.crash(int(child))
    stack.wait_for(lambda: all(now[1] != before[name][1] for name, now in stack.containers().items()))
    stack.wait_until_healthy()
    still_there_and_signed_in(stack, page)
