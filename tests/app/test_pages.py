"""What a bookkeeper does in the browser."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from config.middleware import POLICY
from conftest import PASSWORD
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.test import Client
from ledger import views
from ledger.models import Account, Category, Transaction

pytestmark = pytest.mark.django_db


def booked(account: Account, amount: str = "-5", description: str = "Tea", **more: object) -> Transaction:
    values = {"date": date(2025, 3, 1), **more}
    return Transaction.objects.create(account=account, amount=Decimal(amount), description=description, **values)


@pytest.mark.parametrize(
    "path", ["/", "/transactions/add/", "/accounts/add/", "/statements/", "/transactions/1/", "/admin/"]
)
def test_a_stranger_is_sent_to_the_sign_in_page(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 302
    assert "/sign-in/" in answer["Location"] or "/admin/login/" in answer["Location"]


def test_the_right_password_signs_in_and_a_wrong_one_does_not(client: Client, user: User) -> None:
    assert client.post("/sign-in/", {"username": "keeper", "password": "wrong"}).status_code == 200
    assert client.get("/").status_code == 302
    assert client.post("/sign-in/", {"username": "keeper", "password": PASSWORD})["Location"] == "/"
    assert client.get("/").status_code == 200


def test_signing_out_needs_a_post_and_works(signed_in: Client) -> None:
    assert signed_in.get("/sign-out/").status_code == 405
    signed_in.post("/sign-out/")
    assert signed_in.get("/").status_code == 302


def test_a_form_without_its_token_is_refused(user: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)
    assert strict.post("/accounts/add/", {"name": "A", "currency": "USD"}).status_code == 403


def test_pages_forbid_inline_scripts(client: Client) -> None:
    answer = client.get("/sign-in/")
    assert answer["Content-Security-Policy"] == POLICY
    assert b"<script" not in answer.content and b"style=" not in answer.content


def test_static_files_come_with_hashed_names_and_may_be_kept_for_ever(client: Client) -> None:
    page = client.get("/sign-in/").content.decode()
    path = next(part for part in page.split('"') if part.endswith(".css"))
    assert path != "/static/ledger.css"
    answer = client.get(path)
    assert answer.status_code == 200 and "immutable" in answer["Cache-Control"]
    assert b"--accent" in answer.getvalue()
    answer.close()


def test_an_account_and_a_transaction_are_added_and_found(signed_in: Client) -> None:
    signed_in.post("/accounts/add/", {"name": "Savings", "currency": "USD"})
    account = Account.objects.get(name="Savings")
    values = {"account": account.pk, "date": "2025-03-04", "amount": "-19.90", "description": "Book about cats"}
    assert signed_in.post("/transactions/add/", values).status_code == 302
    page = signed_in.get("/", {"q": "cats"}).content.decode()
    assert "Book about cats" in page and "-19.90" in page and "2025-03-04" in page


@pytest.mark.parametrize("amount", ["", "abc", "NaN", "Infinity", "1.23456", "12345678901234567"])
def test_an_amount_the_column_cannot_hold_is_refused(signed_in: Client, account: Account, amount: str) -> None:
    values = {"account": account.pk, "date": "2025-03-04", "amount": amount, "description": "x"}
    assert signed_in.post("/transactions/add/", values).status_code == 200
    assert not Transaction.objects.exists()


@pytest.mark.parametrize("amount", ["9999999999999999.9999", "-1234567890123.45", "0.0001", "0"])
def test_amounts_of_any_size_are_kept_to_the_last_digit(signed_in: Client, account: Account, amount: str) -> None:
    values = {"account": account.pk, "date": "2025-03-04", "amount": amount, "description": "x"}
    signed_in.post("/transactions/add/", values)
    assert Transaction.objects.get().amount == Decimal(amount)


class TestSearch:
    @pytest.fixture(autouse=True)
    def _rows(self, account: Account) -> None:
        other = Account.objects.create(name="Travel card", currency="EUR")
        food = Category.objects.create(name="Food")
        booked(account, "-45.20", "Corner GROCERY", category=food, date=date(2025, 3, 1))
        booked(account, "2500", "Payroll March", date=date(2025, 3, 31))
        booked(other, "-7", "Tram ticket", date=date(2025, 4, 2), check_number="77")

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({}, {"Corner GROCERY", "Payroll March", "Tram ticket"}),
            ({"q": "grocery"}, {"Corner GROCERY"}),
            ({"q": "march payroll"}, {"Payroll March"}),
            ({"q": "food"}, {"Corner GROCERY"}),
            ({"q": "travel"}, {"Tram ticket"}),
            ({"q": "45.20"}, {"Corner GROCERY"}),
            ({"q": "-45.2"}, {"Corner GROCERY"}),
            ({"q": "2,500"}, {"Payroll March"}),
            ({"q": "77"}, {"Tram ticket"}),
            ({"q": "-2500"}, set()),
            ({"q": "100%"}, set()),
            ({"q": "1e99"}, set()),
            ({"q": "NaN"}, set()),
            ({"q": "_"}, set()),
            ({"q": "'; drop table x; --"}, set()),
            ({"amount": "7"}, {"Tram ticket"}),
            ({"date_from": "2025-03-31"}, {"Payroll March", "Tram ticket"}),
            ({"date_to": "2025-03-31"}, {"Payroll March", "Corner GROCERY"}),
            ({"date_from": "2025-03-31", "date_to": "2025-03-31"}, {"Payroll March"}),
            ({"category": "none"}, {"Payroll March", "Tram ticket"}),
        ],
    )
    def test_it_finds_exactly_what_matches(self, signed_in: Client, query: dict[str, str], expected: set[str]) -> None:
        page = signed_in.get("/", query).context["page"]
        assert {one.description for one in page} == expected

    def test_it_filters_by_account_and_category(self, signed_in: Client, account: Account) -> None:
        assert len(signed_in.get("/", {"account": account.pk}).context["page"]) == 2
        food = Category.objects.get(name="Food")
        assert len(signed_in.get("/", {"category": food.pk}).context["page"]) == 1

    def test_it_adds_up_each_currency_for_itself(self, signed_in: Client) -> None:
        euro, dollar = signed_in.get("/").context["totals"]
        assert (euro.currency, euro.net) == ("EUR", Decimal("-7"))
        assert (dollar.money_in, dollar.money_out, dollar.net) == (Decimal(2500), Decimal("-45.20"), Decimal("2454.80"))

    @pytest.mark.parametrize("query", [{"date_from": "soon"}, {"amount": "x"}, {"account": "999"}, {"category": "999"}])
    def test_a_wrong_filter_shows_its_error_and_no_rows(self, signed_in: Client, query: dict[str, str]) -> None:
        answer = signed_in.get("/", query)
        assert answer.status_code == 200 and b'role="alert"' in answer.content
        assert not answer.context["page"].object_list

    @pytest.mark.parametrize("q", ["\x00", "a\x00b", "x" * 5000])
    def test_an_odd_query_is_no_crash(self, signed_in: Client, q: str) -> None:
        assert signed_in.get("/", {"q": q}).status_code == 200


def test_pages_hold_fifty_and_the_filter_stays(signed_in: Client, account: Account) -> None:
    for number in range(views.PAGE_SIZE + 1):
        booked(account, description=f"Tea {number}")
    first = signed_in.get("/", {"q": "tea"})
    assert len(first.context["page"]) == views.PAGE_SIZE
    assert "?q=tea&amp;page=2" in first.content.decode()
    assert len(signed_in.get("/", {"q": "tea", "page": "2"}).context["page"]) == 1
    assert signed_in.get("/", {"page": "many"}).status_code == 200


def test_the_list_takes_the_same_queries_for_one_row_and_for_many(
    signed_in: Client, account: Account, django_assert_max_num_queries: object
) -> None:
    for number in range(30):
        booked(account, description=f"Tea {number}", category=Category.objects.create(name=str(number)))
    assert callable(django_assert_max_num_queries)
    with django_assert_max_num_queries(9):
        signed_in.get("/")


def test_what_a_bank_wrote_is_shown_as_text_and_not_as_a_page(signed_in: Client, account: Account) -> None:
    one = booked(account, description="<b>bold</b>", original_row=["<i>", ""])
    for path in ("/", one.get_absolute_url()):
        assert b"<b>" not in signed_in.get(path).content
    assert b"&lt;i&gt;" in signed_in.get(one.get_absolute_url()).content


def test_a_category_is_set_and_the_rest_stays(signed_in: Client, account: Account) -> None:
    one, food = booked(account), Category.objects.create(name="Food")
    signed_in.post(one.get_absolute_url(), {"category": food.pk, "amount": "1000000"})
    one.refresh_from_db()
    assert (one.category, one.amount) == (food, Decimal(-5))


def test_editing_a_description_keeps_the_bank_s_fingerprint(account: Account) -> None:
    one = booked(account)
    before, one.description = one.fingerprint, "Green tea"
    one.save()
    one.refresh_from_db()
    assert one.fingerprint == before


def test_an_account_or_category_in_use_cannot_be_deleted(signed_in: Client, account: Account) -> None:
    food = Category.objects.create(name="Food")
    booked(account, category=food)
    for kind, pk in (("account", account.pk), ("category", food.pk)):
        signed_in.post(f"/admin/ledger/{kind}/{pk}/delete/", {"post": "yes"})
    assert Account.objects.count() == Category.objects.count() == Transaction.objects.count() == 1


@pytest.mark.parametrize("table", ["account", "category", "transaction", "transaction/add", "workerheartbeat"])
def test_the_admin_shows_every_table(signed_in: Client, account: Account, table: str) -> None:
    booked(account)
    assert signed_in.get(f"/admin/ledger/{table}/").status_code == 200


def test_an_unknown_page_is_a_404_in_our_own_look(signed_in: Client) -> None:
    answer = signed_in.get("/transactions/123456/")
    assert answer.status_code == 404 and b"There is nothing here" in answer.content


def test_a_database_that_went_away_is_503_and_a_bug_is_500(signed_in: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    signed_in.raise_request_exception = False

    def raising(error: Exception) -> object:
        def find(_: object) -> object:
            raise error

        return find

    monkeypatch.setattr(views, "find", raising(OperationalError("gone")))
    away = signed_in.get("/")
    assert (away.status_code, away["Retry-After"]) == (503, "5") and b"Back in a moment" in away.content
    monkeypatch.setattr(views, "find", raising(ZeroDivisionError()))
    assert signed_in.get("/").status_code == 500


def test_amounts_are_stored_exactly_in_the_database(account: Account) -> None:
    booked(account, "0.10")
    booked(account, "0.20")
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(amount) = 0.30 FROM ledger_transaction")
        assert cursor.fetchone() == (True,)
