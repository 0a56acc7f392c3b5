"""An answer is for one file and remembered for what it was about; importing again with another one doubles nothing."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import run_import
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from ledger.models import Account, Transaction
from statements.importing import Refused, import_file
from statements.models import PendingUpload, RememberedAnswers, StatementImport
from statements.reading.asking import Asked

pytestmark = pytest.mark.django_db
HEAD = b"Date,Description,Amount\n"
WAGES = HEAD + b"2025-03-13,Invoice,520.00\n2025-03-14,Salary Ann,-210.00\n2025-03-14,Salary Bob,-190.00\n"
OTHER = HEAD + b"2025-04-13,Invoice,99.00\n2025-04-14,Salary Eve,-9.00\n2025-04-14,Salary Dan,-8.00\n"
DAYS = HEAD + b"2025-03-13,X,-1.00\n"
FIRST_LETTERS = HEAD + b"02/03/2025,LANTERN BOOKS,-45.20\n02/04/2025,KITE,-4.10\n"
BALANCES = HEAD + b"2025-03-01,PREVIOUS BALANCE,-412.00\n2025-03-13,TEA,-1.00\n2025-03-14,TEA,-2.00\n"


def amounts(account: str) -> list[Decimal]:
    return list(Transaction.objects.filter(account__name=account).order_by("id").values_list("amount", flat=True))


class TestAgain:
    @pytest.mark.parametrize(
        ("content", "first", "then"),
        [
            (WAGES, {"amount_sign": "flipped"}, {"amount_sign": "as_is"}),
            (FIRST_LETTERS, {"date_order": "dmy"}, {"date_order": "mdy"}),
        ],
    )
    def test_the_same_file_with_another_answer_is_refused_and_says_why(
        self, content: bytes, first: dict[str, str], then: dict[str, str]
    ) -> None:
        import_file("f.csv", content, "A", answers=first)
        before = amounts("A")
        for again in (content, content + b"\n"):  # downloaded again, it is not the same byte by byte
            with pytest.raises(Refused, match=r"f\.csv:2: . of its rows are in 'A' with other values: this one as"):
                import_file("f.csv", again, "A", answers=then)
        assert amounts("A") == before

    def test_a_dry_run_says_it_too(self) -> None:
        import_file("f.csv", WAGES, "A", answers={"amount_sign": "flipped"})
        with pytest.raises(Refused, match="with other values"):
            import_file("f.csv", WAGES, "A", answers={"amount_sign": "as_is"}, dry_run=True)

    def test_the_same_answer_adds_nothing_and_another_account_is_another_matter(self) -> None:
        import_file("f.csv", WAGES, "A", answers={"amount_sign": "as_is"})
        assert not import_file("f.csv", WAGES, "A", answers={"amount_sign": "as_is"}).added
        assert len(import_file("f.csv", WAGES, "B", answers={"amount_sign": "flipped"}).added) == 3

    def test_a_row_that_a_person_edited_is_no_other_reading(self) -> None:
        import_file("f.csv", WAGES, "A", answers={"amount_sign": "as_is"})
        Transaction.objects.filter(amount=520).update(description="Client", amount=521, date=date(2025, 3, 1))
        assert not import_file("f.csv", WAGES, "A").added

    def test_rows_left_out_before_are_added_by_another_answer(self) -> None:
        import_file("f.csv", BALANCES, "A", answers={"balance_rows": "skip"})
        assert len(import_file("f.csv", BALANCES, "A", answers={"balance_rows": "count"}).added) == 1


class TestRemembered:
    def test_an_answer_about_one_text_is_not_taken_for_another(self) -> None:
        import_file("march.csv", BALANCES, "A", answers={"balance_rows": "skip"})
        april = BALANCES.replace(b"-03-", b"-04-")
        assert len(import_file("april.csv", april, "A").added) == 2
        with pytest.raises(Asked):
            import_file("may.csv", april.replace(b"PREVIOUS BALANCE", b"Final balance on kitchen"), "A")

    def test_an_answer_that_nothing_asked_for_is_not_remembered(self) -> None:
        import_file("f.csv", DAYS, "A", answers={"status": "skip"})
        assert not RememberedAnswers.objects.exists()

    def test_each_of_several_is_answered_by_itself_and_remembered(self) -> None:
        content = BALANCES + b"2025-03-15,Final balance on kitchen,-7.00\n"
        answers = {"balance_rows": "each", "balance_rows:previous balance": "skip"}
        with pytest.raises(Asked) as caught:
            import_file("f.csv", content, "A", answers=answers)
        assert [question.key for question in caught.value.questions] == ["balance_rows:final balance on kitchen"]
        import_file("f.csv", content, "A", answers={**answers, "balance_rows:final balance on kitchen": "count"})
        assert len(import_file("april.csv", content.replace(b"-03-", b"-04-"), "A").added) == 3

    def test_the_page_shows_them_and_takes_them_back(self, signed_in: Client, account: Account) -> None:
        import_file("march.csv", WAGES, account.name, answers={"amount_sign": "as_is"})
        page = signed_in.get("/statements/").content.decode()
        assert "Remembered answers" in page and "amount_sign: as_is" in page and "march.csv" in page
        kept = RememberedAnswers.objects.get()
        assert signed_in.get(f"/statements/remembered/{kept.pk}/forget/").status_code == 405
        signed_in.post(f"/statements/remembered/{kept.pk}/forget/")
        assert not RememberedAnswers.objects.exists()
        with pytest.raises(Asked):
            import_file("april.csv", OTHER, account.name)


class TestTabs:
    def upload(self, client: Client, account: Account, content: bytes, name: str) -> PendingUpload:
        client.post("/statements/", {"account": account.pk, "file": SimpleUploadedFile(name, content)})
        return PendingUpload.objects.get(filename=name)

    def test_an_answer_in_one_tab_is_for_the_file_that_tab_shows(self, signed_in: Client, account: Account) -> None:
        savings = Account.objects.create(name="Savings")
        first = self.upload(signed_in, account, WAGES, "a.csv")
        second = self.upload(signed_in, savings, OTHER, "b.csv")
        page = signed_in.get(f"/statements/answer/{first.pk}/").content.decode()
        assert f'action="/statements/answer/{first.pk}/"' in page and "a.csv" in page
        signed_in.post(f"/statements/answer/{first.pk}/", {"amount_sign": "as_is"})
        assert len(amounts("Checking")) == 3 and not amounts("Savings")
        assert PendingUpload.objects.get() == second
        assert RememberedAnswers.objects.get().account == account

    def test_an_answer_that_names_no_file_is_not_guessed_at_while_several_wait(
        self, signed_in: Client, account: Account
    ) -> None:
        self.upload(signed_in, account, WAGES, "a.csv")
        self.upload(signed_in, account, OTHER, "b.csv")
        page = signed_in.post("/statements/answer/", {"amount_sign": "as_is"}, follow=True).content.decode()
        assert "Several files wait" in page and not Transaction.objects.exists()
        assert ">a.csv</a>, into Checking" in page and ">b.csv</a>, into Checking" in page

    def test_a_file_that_another_tab_imported_waits_no_longer(self, signed_in: Client, account: Account) -> None:
        first = self.upload(signed_in, account, WAGES, "a.csv")
        signed_in.post(f"/statements/answer/{first.pk}/", {"amount_sign": "as_is"})
        page = signed_in.post(f"/statements/answer/{first.pk}/", {"amount_sign": "flipped"}, follow=True)
        assert "That file waits no longer" in page.content.decode() and len(amounts("Checking")) == 3

    def test_another_person_s_file_is_not_shown(self, signed_in: Client, client: Client, account: Account) -> None:
        first = self.upload(signed_in, account, WAGES, "a.csv")
        client.force_login(User.objects.create_superuser("other"))
        assert (
            "That file waits no longer" in client.get(f"/statements/answer/{first.pk}/", follow=True).content.decode()
        )

    def test_only_the_newest_files_wait(self, signed_in: Client, account: Account) -> None:
        for number in range(PendingUpload.MOST + 1):
            self.upload(signed_in, account, WAGES, f"{number}.csv")
        names = set(PendingUpload.objects.values_list("filename", flat=True))
        assert names == {f"{number}.csv" for number in range(1, PendingUpload.MOST + 1)}


class TestLeftOut:
    FILE = HEAD.replace(b"\n", b",Status\n") + b"2025-03-13,A,-1.00,done\n2025-03-14,B,-2.00,declined\nThank you\n"

    def test_the_page_of_the_import_lists_each_line_with_its_reason(self, signed_in: Client, account: Account) -> None:
        import_file("f.csv", self.FILE, account.name)
        kept = StatementImport.objects.get()
        page = signed_in.get(f"/statements/{kept.pk}/").content.decode()
        assert "2 lines left out" in page and "not completed" in page and "no transaction" in page
        assert f'href="/statements/{kept.pk}/"' in signed_in.get("/statements/").content.decode()

    def test_the_page_of_a_question_lists_them_before_anything_is_saved(
        self, signed_in: Client, account: Account
    ) -> None:
        file = SimpleUploadedFile("f.csv", self.FILE.replace(b"-1.00", b"1.00"))
        page = signed_in.post("/statements/", {"account": account.pk, "file": file}, follow=True).content.decode()
        assert "left out" in page and "Thank you" in page and not Transaction.objects.exists()

    def test_the_command_prints_them_and_json_has_them(self, tmp_path: Path) -> None:
        (tmp_path / "f.csv").write_bytes(self.FILE)
        text = run_import(tmp_path / "f.csv", "--account", "A", "--dry-run")[1]
        assert "f.csv:3: left out, not completed: '2025-03-14 B -2.00 declined'" in text
        facts = json.loads(run_import(tmp_path / "f.csv", "--account", "A", "--dry-run", "--json")[1])
        assert [line["line"] for line in facts["left_out"]] == [3, 4]

    def test_the_command_prints_them_with_a_question_too(self, tmp_path: Path) -> None:
        (tmp_path / "f.csv").write_bytes(self.FILE.replace(b"-1.00", b"1.00"))
        code, text = run_import(tmp_path / "f.csv", "--account", "A")
        assert code == 2 and "f.csv:3: left out, not completed" in text


@pytest.mark.django_db(transaction=True)
def test_the_migration_goes_back_and_keeps_the_newest_file_of_each_person() -> None:
    user, account = User.objects.create_superuser("a"), Account.objects.create(name="A")
    for name in ("old.csv", "new.csv"):
        PendingUpload.objects.create(user=user, account=account, filename=name, content=b"x")
    try:
        MigrationExecutor(connection).migrate([("statements", "0002_questions")])
        with connection.cursor() as cursor:
            cursor.execute("SELECT filename FROM statements_pendingupload")
            assert cursor.fetchall() == [("new.csv",)]
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes())
