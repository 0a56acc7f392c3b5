"""An import is undone by marking its rows: nothing is lost, edited rows stay and are named."""

from __future__ import annotations

from decimal import Decimal

import pytest
from conftest import BANK_FILE
from django.test import Client
from ledger.models import Account, Category, Transaction
from statements import undoing
from statements.importing import import_file
from statements.models import StatementImport

pytestmark = pytest.mark.django_db
WAGES = b"Date,Description,Amount\n2025-03-13,Invoice,520.00\n2025-03-14,Salary,-210.00\n2025-03-14,Salary,-190.00\n"


@pytest.fixture
def kept(account: Account) -> StatementImport:
    import_file("march.csv", BANK_FILE, account.name)
    return StatementImport.objects.get()


def test_its_rows_count_no_more_and_are_kept(kept: StatementImport) -> None:
    assert len(undoing.undo(kept).going) == 5
    assert not Transaction.objects.exists() and Transaction.with_undone.count() == 5


def test_undone_rows_are_in_no_list_sum_search_or_count(signed_in: Client, kept: StatementImport) -> None:
    signed_in.post(f"/statements/{kept.pk}/undo/")
    answer = signed_in.get("/")
    assert not answer.context["page"].object_list and not answer.context["totals"]
    assert signed_in.get("/statements/").context["imports"][0].added == 0


def test_importing_the_file_again_brings_them_back_once(kept: StatementImport) -> None:
    undoing.undo(kept)
    assert len(import_file("march.csv", BANK_FILE, "Checking").added) == 5
    assert not import_file("march.csv", BANK_FILE, "Checking").added
    assert Transaction.objects.count() == 5


def test_a_file_that_was_read_wrong_is_put_right_by_undo_and_another_answer(account: Account) -> None:
    import_file("f.csv", WAGES, account.name, answers={"amount_sign": "flipped"})
    undoing.undo(StatementImport.objects.get())
    import_file("f.csv", WAGES, account.name, answers={"amount_sign": "as_is"})
    assert sum(Transaction.objects.values_list("amount", flat=True)) == Decimal(120)
    assert StatementImport.objects.get().answers == {"amount_sign": "as_is"}


@pytest.mark.parametrize("change", ["description", "amount", "category"])
def test_a_row_that_was_edited_stays_and_is_named(signed_in: Client, kept: StatementImport, change: str) -> None:
    row = Transaction.objects.get(check_number="1042")
    values = {"description": "Plumber", "amount": Decimal(-121), "category": Category.objects.create(name="House")}
    Transaction.objects.filter(pk=row.pk).update(**{change: values[change]})
    page = signed_in.get(f"/statements/{kept.pk}/").content.decode()
    assert "Undo takes 4 rows" in page and "1 edited row would stay" in page and row.get_absolute_url() in page
    page = signed_in.post(f"/statements/{kept.pk}/undo/", follow=True).content.decode()
    assert "4 rows of Checking undone; 1 that were edited stay" in page
    assert Transaction.objects.get() == row


def test_rows_of_another_import_stay(kept: StatementImport) -> None:
    import_file("f.csv", WAGES, "Checking", answers={"amount_sign": "as_is"})
    undoing.undo(kept)
    assert Transaction.objects.count() == 3


def test_it_needs_a_post_and_a_person(client: Client, signed_in: Client, kept: StatementImport) -> None:
    assert signed_in.get(f"/statements/{kept.pk}/undo/").status_code == 405
    client.logout()
    assert client.post(f"/statements/{kept.pk}/undo/").status_code == 302
    assert Transaction.objects.count() == 5
