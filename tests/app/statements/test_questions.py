"""What a file leaves open is asked, nothing is saved meanwhile, and an answer is remembered."""

from __future__ import annotations

import json
import shlex
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import run_import
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from ledger.models import Account, Transaction
from pytest_django import Settings
from statements.importing import Refused, import_file, parse
from statements.models import PendingUpload, RememberedAnswers, StatementImport
from statements.reading.asking import Asked

pytestmark = pytest.mark.django_db
OPEN = b"Date,Description,Amount\n02/03/2025,LANTERN BOOKS,-45.20\n02/04/2025,HARBOUR COFFEE,-4.10\n"
LATER = b"Date,Description,Amount\n02/06/2025,LANTERN BOOKS,-12.00\n"
ONE_BAD = b"date,name,amount\nsoon,LANTERN BOOKS,-20.50\n2025-01-14,HARBOUR COFFEE,-89.50\n"
MAY = {"date_order": "dmy"}


class TestCommand:
    def run(self, file: Path, *arguments: str) -> tuple[int, str]:
        return run_import(file, "--account", "A", *arguments)

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        (tmp_path / "open.csv").write_bytes(OPEN)
        return tmp_path / "open.csv"

    def test_a_question_is_2_names_the_flags_and_saves_nothing(self, file: Path) -> None:
        code, text = self.run(file)
        assert code == 2 and "--answer date_order=dmy   day/month/year: 02/03/2025 is 2 March 2025" in text
        again = f"manage.py import_statement {file} --account A --answer date_order=dmy"
        assert f"HINT: nothing was saved; answer and run it again, such as: {again}\n" in text
        assert not Account.objects.exists() and not StatementImport.objects.exists()

    def test_the_command_of_the_hint_keeps_what_was_given_before(self, file: Path) -> None:
        file.write_bytes(OPEN.replace(b"-", b""))
        _, text = self.run(file, "--filename", "march's.csv", "--dry-run", "--json", "--answer", "date_order=mdy")
        command = shlex.split(text.split("such as: ")[1])
        assert command[2:] == [
            *(str(file), "--account", "A", "--filename", "march's.csv", "--dry-run"),
            *("--answer", "date_order=mdy", "--json", "--answer", "amount_sign=as_is"),
        ]
        code, text = self.run(file, *command[5:])
        assert code == 0 and json.loads(text)["dry_run"] and not Transaction.objects.exists()

    def test_each_outcome_in_json_has_the_keys_that_the_documents_name(self, file: Path, settings: Settings) -> None:
        def keys() -> tuple[int, list[str]]:
            code, text = self.run(file, "--json")
            return code, sorted(json.loads(text.splitlines()[0]))

        assert keys() == (2, ["added", "file", "left_out", "questions"])
        file.write_bytes(ONE_BAD)
        refused = (1, ["added", "file", "good_rows", "problems"])
        assert keys() == refused
        file.write_bytes(b"date,name,amount\n2025-01-14,HARBOUR COFFEE,-89.50\n")
        imported = (
            "account account_created added added_sum already_there dry_run file first_date last_date left_out notes"
        )
        assert keys() == (0, [*imported.split(), "own_account", "problems", "rows", "source", "sum"])
        settings.STATEMENT_MAX_BYTES = 10
        assert keys() == refused

    def test_a_question_in_json_has_its_choices(self, file: Path) -> None:
        code, text = self.run(file, "--json")
        (question,) = json.loads(text.splitlines()[0])["questions"]
        assert (code, question["key"]) == (2, "date_order")
        assert [choice["value"] for choice in question["choices"]] == ["dmy", "mdy"]

    @pytest.mark.parametrize(("order", "first"), [("dmy", date(2025, 3, 2)), ("mdy", date(2025, 2, 3))])
    def test_an_answer_decides(self, file: Path, order: str, first: date) -> None:
        assert self.run(file, "--answer", f"date_order={order}")[0] == 0
        assert Transaction.objects.get(description="LANTERN BOOKS").date == first

    def test_an_answer_that_is_no_choice_is_1(self, file: Path) -> None:
        code, text = self.run(file, "--answer", "date_order=sideways")
        assert code == 1 and "the answer date_order='sideways' is none of: dmy, mdy" in text
        assert "HINT: nothing was saved; leave --answer out to be asked" in text

    @pytest.mark.parametrize("answer", ["date_order", "colour=blue"])
    def test_what_is_no_answer_is_64(self, file: Path, answer: str) -> None:
        code, text = self.run(file, "--answer", answer)
        assert code == 64 and "keys are date_order, " in text

    def test_good_rows_are_imported_alone_only_when_asked_for(self, file: Path) -> None:
        file.write_bytes(ONE_BAD)
        code, text = self.run(file)
        assert code == 1 and "open.csv:2: unreadable date 'soon'" in text
        assert "import the other 1 with --skip-bad-rows" in text and not Transaction.objects.exists()
        code, text = self.run(file, "--skip-bad-rows", "--json")
        facts = json.loads(text)
        assert (code, facts["added"], facts["sum"]) == (0, 1, "-89.50")
        assert facts["problems"] == [{"line": 2, "what": "unreadable date 'soon'"}]

    def test_a_file_without_one_good_row_is_refused_even_then(self, file: Path) -> None:
        file.write_bytes(b"date,name,amount\nsoon,LANTERN BOOKS,-20.50\n")
        assert self.run(file, "--skip-bad-rows")[0] == 1

    def test_a_header_without_rows_is_0_and_makes_no_account(self, file: Path) -> None:
        file.write_bytes(b"date,name,amount")
        code, text = self.run(file)
        assert code == 0 and "0 transactions, nothing was saved" in text and not Account.objects.exists()
        assert json.loads(self.run(file, "--json")[1])["first_date"] is None

    def test_a_file_that_is_too_big_is_1(self, file: Path, settings: Settings) -> None:
        settings.STATEMENT_MAX_BYTES = 10
        code, text = self.run(file)
        assert code == 1 and "has more than 10 bytes" in text


def test_a_new_account_gets_the_file_s_currency_and_another_one_is_a_note() -> None:
    content = b"Datum;Text;Betrag;Saldo;W\xe4hrung\n13.02.2025;Miete;-750,00;250,00;EUR\n"
    assert import_file("f.csv", content, "Giro").account_created
    assert Account.objects.get(name="Giro").currency == "EUR"
    Account.objects.create(name="Checking")
    notes = import_file("f.csv", content, "Checking").statement.notes
    assert "the file is in EUR, the account in USD: is it the right account?" in notes


def test_the_file_of_another_account_is_imported_with_a_note() -> None:
    content = b"date,name,amount\n2025-03-01,Rent,-750.00\n"
    import_file("march.csv", content, "Checking")
    assert import_file("march.csv", content, "Checking").statement.notes == ()
    notes = import_file("again.csv", content, "Savings").statement.notes
    assert "the same file was imported into account 'Checking' before: is it the right account?" in notes


class TestRemembered:
    def test_an_answer_holds_for_the_account_s_next_file_of_that_layout(self) -> None:
        import_file("open.csv", OPEN, "A", answers=MAY)
        outcome = import_file("later.csv", LATER, "A")
        assert outcome.added[0].date == date(2025, 6, 2)
        assert "answered as before for this account: date_order=dmy" in outcome.statement.notes

    def test_another_account_and_another_layout_are_asked_again(self) -> None:
        import_file("open.csv", OPEN, "A", answers=MAY)
        for content, account in ((LATER, "B"), (LATER.replace(b"Date,", b"Posted,"), "A")):
            with pytest.raises(Asked):
                import_file("later.csv", content, account)

    def test_a_dry_run_remembers_nothing(self) -> None:
        import_file("open.csv", OPEN, "A", answers=MAY, dry_run=True)
        assert not RememberedAnswers.objects.exists()

    def test_an_answer_given_anew_replaces_the_one_before(self) -> None:
        import_file("open.csv", OPEN, "A", answers=MAY)
        import_file("june.csv", LATER, "A", answers={"date_order": "mdy"})
        later = LATER.replace(b"02/06", b"02/07")
        assert import_file("later.csv", later, "A").added[0].date == date(2025, 2, 7)

    def test_the_admin_shows_them(self, signed_in: Client) -> None:
        import_file("open.csv", OPEN, "A", answers=MAY)
        assert signed_in.get("/admin/statements/rememberedanswers/").status_code == 200
        assert signed_in.get("/admin/statements/rememberedanswers/add/").status_code == 403


class TestPage:
    def upload(self, client: Client, account: Account, content: bytes) -> str:
        file = SimpleUploadedFile("open.csv", content)
        return client.post("/statements/", {"account": account.pk, "file": file}, follow=True).content.decode()

    def test_it_asks_with_every_choice_and_nothing_chosen(self, signed_in: Client, account: Account) -> None:
        page = self.upload(signed_in, account, OPEN)
        assert "In which order do the dates" in page and page.count('type="radio"') == 2 and "checked" not in page
        assert "<fieldset" in page and "<legend>" in page and not Transaction.objects.exists()
        assert page == signed_in.get("/statements/answer/").content.decode() or "csrf" in page  # a reload asks again

    def test_an_answer_imports_the_file_that_was_waiting(self, signed_in: Client, account: Account) -> None:
        self.upload(signed_in, account, OPEN)
        page = signed_in.post("/statements/answer/", MAY, follow=True).content.decode()
        assert "2 added, 0 already there. Sum added: -49.30" in page
        assert bytes(StatementImport.objects.get().content) == OPEN
        assert not PendingUpload.objects.exists()

    def test_no_answer_is_asked_for_again(self, signed_in: Client, account: Account) -> None:
        self.upload(signed_in, account, OPEN)
        page = signed_in.post("/statements/answer/", {"date_order": "sideways"}).content.decode()
        assert "Please choose one." in page and not Transaction.objects.exists()

    def test_two_questions_are_asked_together(self, signed_in: Client, account: Account) -> None:
        page = self.upload(signed_in, account, OPEN.replace(b"-", b""))
        assert page.count("<fieldset") == 2
        signed_in.post("/statements/answer/", {**MAY, "amount_sign": "flipped"})
        assert sum(Transaction.objects.values_list("amount", flat=True)) == Decimal("-49.30")

    def test_it_can_be_given_up(self, signed_in: Client, account: Account) -> None:
        self.upload(signed_in, account, OPEN)
        page = signed_in.post("/statements/answer/", {"discard": "yes"}, follow=True).content.decode()
        assert "nothing was imported" in page and not PendingUpload.objects.exists()
        assert "No file is waiting" in signed_in.get("/statements/answer/", follow=True).content.decode()

    def test_a_question_answered_meanwhile_leaves_a_button(self, signed_in: Client, account: Account) -> None:
        self.upload(signed_in, account, OPEN)
        import_file("open.csv", OPEN, account.name, answers=MAY)
        assert "Nothing is open any more" in signed_in.get("/statements/answer/").content.decode()
        page = signed_in.post("/statements/answer/", {"import": "yes"}, follow=True).content.decode()
        assert "0 added, 2 already there" in page

    def test_a_button_imports_only_the_good_rows(self, signed_in: Client, account: Account) -> None:
        page = self.upload(signed_in, account, ONE_BAD)
        assert "The other 1 row can be read." in page and not Transaction.objects.exists()
        assert "Nothing is open any more" in signed_in.get("/statements/answer/").content.decode()
        page = signed_in.post("/statements/answer/", {"skip_bad_rows": "yes"}, follow=True).content.decode()
        assert "1 added" in page and "1 unreadable row left out, as asked for" in page

    def test_a_file_without_a_good_row_does_not_wait(self, signed_in: Client, account: Account) -> None:
        self.upload(signed_in, account, b"%PDF-1.7\n")
        assert not PendingUpload.objects.exists()

    def test_a_file_without_transactions_is_no_error(self, signed_in: Client, account: Account) -> None:
        page = self.upload(signed_in, account, b"date,name,amount")
        assert "0 transactions, nothing was saved" in page and not StatementImport.objects.exists()

    def test_a_file_waits_a_day_at_most(self, signed_in: Client, account: Account) -> None:
        self.upload(signed_in, account, OPEN)
        PendingUpload.objects.update(created_at=timezone.now() - timedelta(days=2), filename="old.csv")
        self.upload(signed_in, account, OPEN)
        assert PendingUpload.objects.get().filename == "open.csv"

    def test_a_stranger_gets_no_question(self, client: Client) -> None:
        assert client.get("/statements/answer/").status_code == 302

    def test_what_waits_and_what_is_remembered_say_what_they_are(self, signed_in: Client, account: Account) -> None:
        self.upload(signed_in, account, OPEN)
        assert str(PendingUpload.objects.get()) == "open.csv (Checking)"
        signed_in.post("/statements/answer/", MAY)
        assert str(RememberedAnswers.objects.get()) == "Checking: {'date_order': 'dmy'}"


def test_a_refusal_says_how_many_rows_are_good() -> None:
    with pytest.raises(Refused) as caught:
        parse("f.csv", ONE_BAD)
    assert caught.value.good_rows == 1
