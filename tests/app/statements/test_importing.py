"""From file to rows: all or nothing, nothing twice, equal rows kept."""

from __future__ import annotations

import hashlib
import json
import threading
from datetime import date
from decimal import Decimal
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
from conftest import BANK_FILE, run_import
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection
from django.db.models import Sum
from django.test import Client
from ledger.models import Account, Transaction
from pytest_django import Settings
from statements.importing import Refused, import_file
from statements.management.commands import import_statement
from statements.models import StatementImport

pytestmark = pytest.mark.django_db
BAD_FILE = BANK_FILE + b'"03/06/2025","4o.00","*","","TYPO"\n'
# What these files leave open: a card's statement that begins with the balance of the month before, one whose charges
# are positive.
ANSWERS = {
    "monopoly_example_transformed.csv": ("balance_rows=count",),
    "dcool_amex.csv": ("amount_sign=flipped",),
}


def total() -> Decimal:
    return Transaction.objects.aggregate(s=Sum("amount"))["s"] or Decimal(0)


def test_every_row_arrives_with_its_source_and_the_bank_s_own_cells(account: Account) -> None:
    outcome = import_file("march.csv", BANK_FILE, "Checking")
    assert (len(outcome.added), outcome.already_there, outcome.account_created) == (5, 0, False)
    assert (Transaction.objects.count(), total()) == (5, Decimal("2326.60"))
    check = Transaction.objects.get(check_number="1042")
    assert (check.source, check.statement_line) == ("wellsfargo_bank_csv", 5)
    assert check.original_row == ["03/05/2025", "-120.00", "*", "1042", "CHECK 1042"]


def test_the_file_is_kept_byte_by_byte(account: Account) -> None:
    import_file("march.csv", BANK_FILE, "Checking")
    kept = StatementImport.objects.get()
    assert bytes(kept.content) == BANK_FILE
    assert (kept.sha256, kept.row_count) == (hashlib.sha256(BANK_FILE).hexdigest(), 5)


def test_equal_rows_of_one_day_are_kept(account: Account) -> None:
    import_file("march.csv", BANK_FILE, "Checking")
    assert Transaction.objects.filter(description="HARBOUR COFFEE").count() == 2


def test_the_same_file_again_adds_nothing(account: Account) -> None:
    import_file("march.csv", BANK_FILE, "Checking")
    again = import_file("march-copy.csv", BANK_FILE, "Checking")
    assert (len(again.added), again.already_there) == (0, 5)
    assert (Transaction.objects.count(), StatementImport.objects.count()) == (5, 1)


def test_an_overlapping_file_adds_only_what_is_new(account: Account) -> None:
    import_file("march.csv", BANK_FILE, "Checking")
    lines = BANK_FILE.splitlines(keepends=True)
    overlap = b"".join([*lines[2:], lines[2], b'"03/09/2025","-8.00","*","","CINEMA"\n'])
    outcome = import_file("later.csv", overlap, "Checking")
    assert sorted(row.description for row in outcome.added) == ["CINEMA", "HARBOUR COFFEE"]  # a third coffee
    assert Transaction.objects.count() == 7


def test_another_account_s_rows_are_its_own(account: Account) -> None:
    import_file("march.csv", BANK_FILE, "Checking")
    assert len(import_file("march.csv", BANK_FILE, "Savings").added) == 5


def test_a_row_whose_description_was_edited_is_not_added_again(account: Account) -> None:
    import_file("march.csv", BANK_FILE, "Checking")
    Transaction.objects.filter(check_number="1042").update(description="Plumber")
    assert len(import_file("march.csv", BANK_FILE, "Checking").added) == 0


def test_a_row_typed_in_by_hand_before_is_not_added_again(account: Account) -> None:
    Transaction.objects.create(
        account=account, date=date(2025, 3, 5), amount=Decimal("-120"), check_number="1042", description="CHECK  1042"
    )
    assert len(import_file("march.csv", BANK_FILE, "Checking").added) == 4


def test_a_row_that_was_deleted_comes_back_with_its_file(account: Account) -> None:
    import_file("march.csv", BANK_FILE, "Checking")
    Transaction.objects.filter(check_number="1042").delete()
    assert len(import_file("march.csv", BANK_FILE, "Checking").added) == 1


def test_one_bad_row_and_nothing_of_the_file_is_saved() -> None:
    with pytest.raises(Refused, match=r"march.csv:6: unreadable amount '4o.00'"):
        import_file("march.csv", BAD_FILE, "Brand new")
    assert not Transaction.objects.exists() and not StatementImport.objects.exists() and not Account.objects.exists()


def test_a_failure_while_saving_leaves_nothing(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OperationalError("connection lost")

    monkeypatch.setattr(type(Transaction.objects), "bulk_create", broken)
    with pytest.raises(OperationalError):
        import_file("march.csv", BANK_FILE, "Brand new")
    assert not StatementImport.objects.exists() and not Account.objects.filter(name="Brand new").exists()


@pytest.mark.django_db(transaction=True)
def test_two_imports_at_once_add_each_row_once() -> None:
    Account.objects.create(name="Checking")
    start, added = threading.Barrier(2), []

    def one() -> None:
        try:
            start.wait(5)
            added.append(len(import_file("march.csv", BANK_FILE, "Checking").added))
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (sorted(added), Transaction.objects.count()) == ([0, 5], 5)


class TestCommand:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        file = tmp_path / "march.csv"
        file.write_bytes(BANK_FILE)
        return file

    def said(self, *arguments: object) -> str:
        code, text = run_import(*arguments)
        assert code == 0, text
        return text

    def test_it_imports_and_says_what(self, file: Path) -> None:
        text = self.said(file, "--account", "Checking")
        assert "5 transactions, sum 2326.60, 2025-03-01 to 2025-03-05" in text
        assert "'Checking' (new account): 5 added, sum 2326.60; 0 already there" in text

    def test_it_answers_as_json_with_amounts_as_text(self, file: Path) -> None:
        self.said(file, "--account", "Checking")
        facts = json.loads(self.said(file, "--account", "Checking", "--json"))
        assert (facts["rows"], facts["sum"], facts["added"], facts["already_there"]) == (5, "2326.60", 0, 5)

    def test_a_dry_run_says_it_and_writes_nothing(self, file: Path) -> None:
        text = self.said(file, "--account", "Checking", "--dry-run")
        assert "'Checking' (new account): 5 would be added, sum 2326.60; 0 already there" in text
        assert text.endswith("; dry run: nothing was saved\n")
        assert not Transaction.objects.exists() and not Account.objects.exists()

    def test_a_bad_file_is_1_and_names_the_line(self, file: Path) -> None:
        file.write_bytes(BAD_FILE)
        code, text = run_import(file, "--account", "Checking")
        assert code == 1 and "march.csv:6: unreadable amount '4o.00'" in text and "HINT: nothing was saved" in text

    def test_a_bad_file_in_json_is_json_too(self, file: Path) -> None:
        file.write_bytes(BAD_FILE * 30)
        code, text = run_import(file, "--account", "Checking", "--json")
        facts = json.loads(text.splitlines()[0])
        assert code == 1 and facts["added"] == 0 and facts["problems"][0]["line"] == 6
        assert "… and 10 more" in text

    def test_a_file_that_is_not_there_is_2(self) -> None:
        assert run_import("/nowhere/march.csv", "--account", "Checking")[0] == 2

    @pytest.mark.parametrize("name", ["", "   ", "x" * 101])
    def test_a_name_that_is_none_is_64(self, file: Path, name: str) -> None:
        assert run_import(file, "--account", name)[0] == 64

    def test_wrong_arguments_are_64(self, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as caught:
            import_statement.Command().run_from_argv(["manage.py", "import_statement", str(file)])
        assert caught.value.code == 64 and "--account" in capsys.readouterr().err

    def test_it_reads_standard_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(BANK_FILE)))
        assert "5 added" in self.said("-", "--account", "Checking", "--filename", "march.csv")
        assert StatementImport.objects.get().filename == "march.csv"

    def test_a_database_that_is_away_is_2(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(*_: object, **__: object) -> None:
            raise OperationalError("connection refused\nIs the server running?")

        monkeypatch.setattr(import_statement, "import_file", away)
        code, text = run_import(file, "--account", "Checking")
        assert code == 2 and text.startswith("database: connection refused\nHINT: ")

    def test_somebody_else_s_wells_fargo_file_and_again(self, statements: Path) -> None:
        file = statements / "dcool_wells_fargo.csv"
        facts = json.loads(self.said(file, "--account", "Checking", "--json"))
        assert (facts["added"], facts["sum"]) == (5, "1178.50")
        assert json.loads(self.said(file, "--account", "Checking", "--json"))["added"] == 0
        assert (Transaction.objects.count(), total()) == (5, Decimal("1178.50"))

    def test_every_statement_of_others_is_right_or_asked_about_or_refused(self, statements: Path) -> None:
        """OFX, QIF and PDF are refused as not yet; each CSV gives its transactions and their sum."""
        for expected in json.loads((statements / "expected.json").read_text()):
            name = expected["file"]
            if not name.endswith(".csv") or name == "reckon_not_a_statement.csv":
                code, text = run_import(statements / name, "--account", name)
                assert code == 1 and ("not read yet" in text or "not a statement" in text), name
                continue
            answers = [f"--answer={one}" for one in ANSWERS.get(name, ())]
            if answers:
                assert run_import(statements / name, "--account", name)[0] == 2, name
            bad = ["--skip-bad-rows"] if "row error" in expected["note"] else []
            facts = json.loads(self.said(statements / name, "--account", name, "--json", *answers, *bad))
            assert (facts["added"], Decimal(facts["sum"])) == (expected["transactions"], Decimal(expected["sum"])), name
            assert len(facts["problems"]) == len(bad), name
            again = json.loads(self.said(statements / name, "--account", name, "--json", *answers, *bad))
            assert again["added"] == 0, name


class TestUploadPage:
    def upload(self, client: Client, account: Account, content: bytes, name: str = "march.csv") -> Any:
        file = SimpleUploadedFile(name, content)
        return client.post("/statements/", {"account": account.pk, "file": file}, follow=True)

    def test_the_newest_statement_is_listed_first(self, signed_in: Client, account: Account) -> None:
        for day in range(1, 4):
            line = f'"03/0{day}/2025","-1.00","*","","TEA {day}"\n'.encode()
            self.upload(signed_in, account, line, name=f"day-{day}.csv")
        page = signed_in.get("/statements/").content.decode()
        places = [page.index(f">day-{day}.csv</a>") for day in (3, 2, 1)]
        assert places == sorted(places)

    def test_it_imports_and_then_adds_nothing_more(self, signed_in: Client, account: Account) -> None:
        first = self.upload(signed_in, account, BANK_FILE)
        assert b"5 added, 0 already there. Sum added: +2,326.60" in first.content
        again = self.upload(signed_in, account, BANK_FILE)
        assert b"0 added, 5 already there" in again.content
        assert Transaction.objects.count() == 5

    def test_it_names_each_line_it_cannot_read_and_saves_nothing(self, signed_in: Client, account: Account) -> None:
        answer = self.upload(signed_in, account, BAD_FILE)
        assert answer.status_code == 422
        assert b"march.csv:6: unreadable amount" in answer.content
        assert not Transaction.objects.exists()

    def test_a_file_that_is_too_big_is_refused(self, signed_in: Client, account: Account, settings: Settings) -> None:
        settings.STATEMENT_MAX_BYTES = 10
        assert b"at most 10 are read" in self.upload(signed_in, account, BANK_FILE).content
        assert not Transaction.objects.exists()

    def test_the_bank_s_file_comes_back_byte_by_byte_as_a_download(self, signed_in: Client, account: Account) -> None:
        self.upload(signed_in, account, BANK_FILE)
        answer = signed_in.get(f"/statements/{StatementImport.objects.get().pk}/original/")
        assert answer.content == BANK_FILE and "attachment" in answer["Content-Disposition"]

    def test_it_remembers_who_imported(self, signed_in: Client, account: Account) -> None:
        self.upload(signed_in, account, BANK_FILE)
        assert str(StatementImport.objects.get().imported_by) == "keeper"

    def test_a_stranger_gets_no_file(self, client: Client, account: Account) -> None:
        import_file("march.csv", BANK_FILE, "Checking")
        assert client.get(f"/statements/{StatementImport.objects.get().pk}/original/").status_code == 302

    def test_the_admin_shows_imports_and_changes_none(self, signed_in: Client, account: Account) -> None:
        import_file("march.csv", BANK_FILE, "Checking")
        pk = StatementImport.objects.get().pk
        assert signed_in.get(f"/admin/statements/statementimport/{pk}/change/").status_code == 200
        for path in ("add/", f"{pk}/delete/"):
            assert signed_in.post(f"/admin/statements/statementimport/{path}", {"post": "yes"}).status_code == 403
