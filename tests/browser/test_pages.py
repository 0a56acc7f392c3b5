"""What a bookkeeper does: sign in, add a transaction, upload a statement, search, look into the database."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.person import Complaints, identify, picture, sign_in
from tools.kit.stacks import REPOSITORY, Stack

BANK_FILE = REPOSITORY.parent / "shared/data/statements/dcool_wells_fargo.csv"


@pytest.fixture(scope="module")
def description() -> str:
    """Of the transaction that is added and found again; its words occur nowhere else."""
    return f"Garden chairs {secrets.token_hex(4)}"


def test_nothing_is_shown_before_the_sign_in_and_a_wrong_password_opens_nothing(stack: Stack, page: Page) -> None:
    page.goto(stack.url())
    expect(page).to_have_title("Sign in · LedgerFlow")
    picture(page, "sign-in")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("not the password at all")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("Please enter a correct username and password")
    picture(page, "sign-in-refused")
    page.goto(stack.url(path="/transactions/add/"))
    expect(page).to_have_title("Sign in · LedgerFlow")


def test_a_transaction_is_added_and_found(stack: Stack, page: Page, complaints: Complaints, description: str) -> None:
    sign_in(page, stack)
    page.get_by_role("link", name="Add a transaction").click()
    page.get_by_label("Account").select_option(label="Test")
    page.get_by_label("Date").fill("2025-03-04")
    page.get_by_label("Amount").fill("-1234.56")
    page.get_by_label("Description").fill(description)
    picture(page, "add-transaction")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text(f"Added: {description}")

    page.get_by_label("Search").fill(description.split()[-1])
    page.get_by_role("button", name="Search").click()
    rows = page.get_by_role("region", name="List of transactions").locator("tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(description)
    expect(rows).to_contain_text("1,234.56")
    picture(page, "transactions-found")
    page.get_by_role("link", name=description).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(description)
    picture(page, "transaction")
    assert complaints == []


def test_a_statement_is_uploaded_once_and_a_broken_one_not_at_all(stack: Stack, page: Page, tmp_path: Path) -> None:
    mark = secrets.token_hex(4)
    good, broken = tmp_path / f"{mark}.csv", tmp_path / f"broken-{mark}.csv"
    lines = [f'"03/0{day}/2025","-{day}1.10","*","","Coffee {mark} {day}"\n' for day in (1, 2, 3)]
    good.write_text("".join(lines))
    broken.write_text("".join(lines).replace('"-21.10"', '"twenty"'))
    sign_in(page, stack)
    page.get_by_role("link", name="Statements").click()
    for file, said in ((good, "3 added, 0 already there"), (good, "0 added, 3 already there")):
        page.get_by_label("Account").select_option(label="Test")
        page.get_by_label("Statement", exact=True).set_input_files(file)
        page.get_by_role("button", name="Import").click()
        expect(page.get_by_role("status")).to_contain_text(said)
    newest = page.get_by_role("region", name="Imported statements").locator("tbody tr").first
    expect(newest).to_contain_text(good.name)
    picture(page, "statement-uploaded")
    page.get_by_label("Statement", exact=True).set_input_files(broken)
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was imported")
    expect(page.get_by_role("alert")).to_contain_text("twenty")
    picture(page, "statement-refused")
    page.goto(stack.url(path=f"/?q={mark}"))
    expect(page.get_by_role("region", name="List of transactions").locator("tbody tr")).to_have_count(3)


@pytest.mark.skipif(not BANK_FILE.exists(), reason="the shared statements are not on this machine; until they are")
def test_a_real_statement_is_uploaded_and_adds_nothing_the_second_time(stack: Stack, page: Page) -> None:
    newest = "(SELECT max(id) FROM statements_statementimport)"
    total = f"SELECT count(*), sum(amount)::numeric(20, 2) FROM ledger_transaction WHERE statement_id = {newest}"
    before = len(stack.rows())
    sign_in(page, stack)
    for said in ("5 added, 0 already there", "0 added, 5 already there"):
        page.goto(stack.url(path="/statements/"))
        page.get_by_label("Account").select_option(label="Test")
        page.get_by_label("Statement", exact=True).set_input_files(BANK_FILE)
        page.get_by_role("button", name="Import").click()
        expect(page.get_by_role("status")).to_contain_text(said)
        assert stack.sql(total) == "5|1178.50"
        assert len(stack.rows()) == before + 5


def test_searxng_finds_the_transaction_through_the_ledgers_own_engine(
    stack: Stack, page: Page, description: str
) -> None:
    page.goto(stack.url("SEARXNG"))  # leads to the sign-in page, of the name and the app's port
    identify(page, stack)
    page.goto(stack.url("SEARXNG"))
    picture(page, "searxng")
    page.locator("input[name=q]").fill(description)
    page.locator("input[name=q]").press("Enter")
    found = page.get_by_role("article").filter(has_text=description)
    expect(found).to_have_count(1)
    expect(found).to_contain_text("-1,234.56")
    picture(page, "searxng-found")
    page.goto(str(found.get_by_role("link").first.get_attribute("href")))
    identify(page, stack)
    expect(page.get_by_role("heading", level=1)).to_have_text(description)


def test_adminer_opens_the_database_as_the_apps_role(stack: Stack, page: Page, description: str) -> None:
    page.goto(stack.url("ADMINER"))
    expect(page.locator("input[name='auth[server]']")).to_have_value(f"{stack.id}-postgres")
    picture(page, "adminer")
    page.locator("input[name='auth[username]']").fill("ledger_app")
    page.locator("input[name='auth[password]']").fill(stack.secret("postgres_app_password"))
    page.locator("input[name='auth[db]']").fill("ledger")
    page.get_by_role("button", name="Login").click()
    page.locator("a", has_text="ledger_transaction").first.wait_for()
    picture(page, "adminer-database")
    page.goto(f"{page.url}&ns=public&select=ledger_transaction&order[0]=id&desc[0]=1")
    expect(page.get_by_text(description).first).to_be_visible()
    picture(page, "adminer-table")


def test_every_page_is_readable_on_a_telephone_and_in_the_dark(stack: Stack, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme="dark", locale="en-GB")
    page = context.new_page()
    complaints = Complaints()
    complaints.watch(page)
    sign_in(page, stack)
    paths = {"list": "/", "statements": "/statements/", "add": "/transactions/add/", "admin": "/admin/"}
    for name, path in paths.items():
        page.goto(stack.url(path=path))
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        picture(page, f"telephone-{name}")
        assert overflow <= 0, f"{path} is {overflow} pixels wider than the telephone"
        hidden = page.locator(".table").evaluate_all("all => all.map(one => one.scrollWidth - one.clientWidth)")
        assert [beyond for beyond in hidden if beyond > 0] == [], f"{path}: a table's last columns are out of sight"
    assert complaints == []
    context.close()


def test_a_page_that_is_not_there_says_so_and_leads_back(stack: Stack, page: Page) -> None:
    sign_in(page, stack)
    answer = page.goto(stack.url(path="/transactions/999999999/"))
    assert answer is not None
    assert answer.status == 404
    picture(page, "not-found")
    page.get_by_role("link", name="To the transactions").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Transactions")
