"""A file of several of one's own accounts is asked about; one account's file, and other people's numbers, are not."""

from __future__ import annotations

import json
import shlex
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import run_import
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from ledger.models import Account, Transaction
from statements.importing import Refused, import_file, parse
from statements.models import PendingUpload, StatementImport
from statements.reading.asking import Asked, Question
from statements.reading.owners import is_iban
from statements.reading.parsing import Statement

HEAD = "Date,Account,Description,Amount\n"
MIXED = (
    HEAD + "2025-03-13,Daily Money,LANTERN BOOKS,-4.10\n2025-03-14,Savings,INTEREST,1.00\n"
    "2025-03-15,Daily Money,PAYROLL,100.00\n2025-03-16,Savings,HARBOUR COFFEE,-2.50\n"
)
# Made-up numbers with check digits that are right.
ONE, TWO = "DE89370400440532013000", "DE44500105175407324931"


def read(content: str, **answers: str) -> Statement:
    return parse("f.csv", content.encode(), answers)


def asked(content: str, **answers: str) -> tuple[Question, ...]:
    with pytest.raises(Asked) as caught:
        read(content, **answers)
    return caught.value.questions


def question(content: str, **answers: str) -> Question:
    (found,) = (one for one in asked(content, **answers) if one.key == "own_account")
    return found


def offered(content: str, **answers: str) -> list[str]:
    return [choice.label for choice in question(content, **answers).choices]


# What is special -> a file of two accounts, how many rows each has.
SEVERAL = {
    "a column of names": (MIXED, [2, 2]),
    "a row each": (HEAD + "2025-03-13,A,TEA,-1.00\n2025-03-14,B,PAY,2.00\n", [1, 1]),
    "numbers": (
        MIXED.replace("Account", "Account Number").replace("Daily Money", "4711").replace("Savings", "4712"),
        [2, 2],
    ),
    "masked numbers": (MIXED.replace("Daily Money", "****4711").replace("Savings", "****4712"), [2, 2]),
    "two of one name, told apart by number": (
        "Date,Account Name,Account Number,Description,Amount\n2025-03-13,Mine,4711,TEA,-1.00\n"
        "2025-03-14,Mine,4712,PAY,2.00\n2025-03-15,Mine,4711,KITE,-3.00\n",
        [2, 1],
    ),
    "kinds": (MIXED.replace("Account", "Account Type").replace("Daily Money", "Chequing"), [2, 2]),
    "products": (MIXED.replace("Account", "Product").replace("Daily Money", "Current"), [2, 2]),
    "a German order account": (
        f"Auftragskonto;Buchungstag;Verwendungszweck;Kontonummer/IBAN;Betrag\n{ONE};13.03.2025;TEE;DE1;-4,10\n"
        f"{TWO};14.03.2025;LOHN;DE2;1.000,00\n",
        [1, 1],
    ),
    "an IBAN that could be anybody's, with several payees": (
        f"IBAN;Datum;Text;Betrag\n{ONE};13.03.2025;TEE;-4,10\n{ONE};14.03.2025;KINO;-8,00\n"
        f"{TWO};15.03.2025;LOHN;9,00\n{TWO};16.03.2025;MIETE;-2,00\n",
        [2, 2],
    ),
    "IBANs in a column of an unknown name": (
        f"Kuup;Oma;Asi;Hulk\n2025-03-13;{ONE};A SHOP;-4,10\n2025-03-14;{ONE};B SHOP;20,00\n"
        f"2025-03-15;{TWO};C SHOP;-1,00\n2025-03-16;{TWO};D SHOP;-2,00\n",
        [2, 2],
    ),
    "no header": (
        f"{ONE};13.03.2025;TEE;-4,10\n{ONE};14.03.2025;KINO;-8,00\n{TWO};15.03.2025;LOHN;9,00\n{TWO};16.03.2025;X;-2,00\n",
        [2, 2],
    ),
    "lines between the rows": (
        "Account: Daily 4711\nDate,Description,Amount\n2025-03-13,TEA,-4.10\n2025-03-14,PAY,5.00\n\n"
        "Account: Savings 4712\nDate,Description,Amount\n2025-03-15,INTEREST,1.00\n2025-03-16,FEE,-1.00\n",
        [2, 2],
    ),
    "lines between the rows, their name in the next cell": (
        "Konto;DE1 giro\nDatum;Text;Betrag\n13.03.2025;TEE;-4,10\nKonto;DE2 spar\n15.03.2025;ZINS;1,00\n",
        [1, 1],
    ),
    "a transaction that names none": (
        HEAD + "2025-03-13,A,TEA,-1.00\n2025-03-14,,PAY,2.00\n2025-03-15,A,X,-3.00\n2025-03-16,B,X,-3.00\n",
        [2, 1, 1],
    ),
}  # fmt: skip  a file per line reads better than one wrapped by width


@pytest.mark.parametrize("name", SEVERAL)
def test_a_file_of_several_accounts_is_asked_about_and_an_answer_imports_exactly_those_rows(name: str) -> None:
    content, counts = SEVERAL[name]
    *accounts, everything = question(content).choices
    parts = [read(content, own_account=choice.value).rows for choice in accounts]
    assert [len(rows) for rows in parts] == counts
    whole = read(content, own_account=everything.value).rows
    assert everything.value == "all" and len(whole) == sum(counts)
    assert sorted(row.line for rows in parts for row in rows) == [row.line for row in whole]


# What is special -> a file of one account, although it names others, or several cards.
ONE_ACCOUNT = {
    "the column is constant": MIXED.replace("Savings", "Daily Money"),
    "the column is constant where it is filled": MIXED.replace("Savings,INT", ",INT").replace("Savings", "Daily Money"),
    "the same name, written in two ways": MIXED.replace("Savings", "daily  money "),
    "a card's members": (
        "Date,Description,Card Member,Account #,Amount\n08/13/2025,LANTERN,ANN,-1001,84.12\n"
        "08/14/2025,KITE,BOB,-1002,1.00\n08/16/2025,PAYMENT - THANK YOU,ANN,-1001,-60.00\n"
    ),
    "cards": "Date,Card No.,Description,Debit,Credit\n2025-03-13,1234,A,1.00,\n2025-03-14,5678,B,,2.00\n",
    "the other party's numbers, some rows have none": (
        f"Date,Payee,Account number,Amount\n2025-03-13,TEA,,-4.10\n2025-03-14,ANN,{ONE},-5.00\n"
        f"2025-03-15,BOB,{TWO},-6.00\n"
    ),
    "the other party's numbers, each with one name": (
        "Date,Payee,Account number,Amount\n2025-03-13,ANN,4711,-4.10\n2025-03-14,ANN,4711,-5.00\n"
        "2025-03-15,BOB,4712,-6.00\n2025-03-16,BOB,4712,-6.00\n"
    ),
    "the other party's numbers, another in nearly every row": "Date,Payee,Account number,Amount\n"
    + "".join(f"2025-03-{day},PAYEE {day},47{day},-1.00\n" for day in range(11, 21)),
    "an IBAN that could be anybody's": (
        f"Datum;Empfänger;IBAN;Betrag\n13.03.2025;ANN;{ONE};-4,10\n14.03.2025;BOB;{TWO};-5,00\n15.03.2025;ANN;{ONE};-6,00\n"
    ),
    "the other party's IBAN, with other purposes each time": (
        f"Datum;Zahlungsempfänger;Verwendungszweck;IBAN;Betrag\n13.03.2025;ANN;TEE;{ONE};-4,10\n14.03.2025;ANN;KINO;{ONE};-5,00\n"
        f"15.03.2025;BOB;MIETE;{TWO};-6,00\n16.03.2025;BOB;STROM;{TWO};-7,00\n"
    ),
    "the other party's beside one's own": (
        f"Auftragskonto;Buchungstag;Empfänger;Kontonummer/IBAN;Betrag\nDE1;13.03.2025;ANN;{ONE};-4,10\n"
        f"DE1;14.03.2025;ANN;{ONE};-5,00\nDE1;15.03.2025;BOB;{TWO};-6,00\nDE1;16.03.2025;EVA;{TWO};-7,00\n"
    ),
    "more of them than anybody has": HEAD
    + "".join(f"2025-03-13,Category {n % 30},SHOP {n},-1.00\n" for n in range(90)),
    "a bookkeeping's accounts": MIXED.replace("Daily Money", "Expenses:Books").replace("Savings", "Income:Bank"),
    "a product that is none": MIXED.replace("Account", "Product")
    .replace("Daily Money", "Tea")
    .replace("Savings", "Cake"),
    "a title on every page": (
        "Account: 4711 page 1\n"
        + HEAD.replace("Account,", "")
        + "2025-03-13,TEA,-1.00\nAccount: 4711 page 2\n"
        + HEAD.replace("Account,", "")
        + "2025-03-14,KITE,-2.00\n"
    ),
    "a preamble of one account": (
        "Account: 4711\nAccount type: Giro\nAccount balance: 12.00\n\nDate,Description,Amount\n2025-03-13,TEA,-1.00\n"
        "2025-03-14,KITE,2.00\nAccount: 4711\n"
    ),
    "store numbers without a header": (
        "2025-03-13,10004711,LANTERN,-1.00\n2025-03-14,10004711,LANTERN,-2.00\n2025-03-15,10004712,KITE,-3.00\n"
        "2025-03-16,10004712,KITE,-4.00\n"
    ),
}  # fmt: skip  as above


def test_accounts_that_are_taken_for_other_people_s_are_said() -> None:
    note = "column 'IBAN' holds several accounts; its rows do not show them to be one's own"
    assert note in read(ONE_ACCOUNT["an IBAN that could be anybody's"]).notes
    assert not read(ONE_ACCOUNT["the other party's beside one's own"]).notes


def test_a_file_that_names_no_account_above_its_rows_names_none() -> None:
    assert read("Date,Name,Amount\n2025-03-13,A,-1.00\n2025-03-14,B,-1.00\nAccount: 4711,,\n").own_account == ""
    assert read(ONE_ACCOUNT["a preamble of one account"]).own_account == "Account: 4711"
    assert read(ONE_ACCOUNT["the column is constant"]).own_account == "Daily Money"


@pytest.mark.parametrize("name", ONE_ACCOUNT)
def test_a_file_of_one_account_is_not_asked_about(name: str) -> None:
    statement = read(ONE_ACCOUNT[name], **({"amount_sign": "flipped"} if "card's" in name else {}))
    assert statement.rows and not statement.problems


def test_each_choice_says_its_rows_and_their_sum() -> None:
    assert offered(MIXED) == [
        "Daily Money: 2 rows, sum 95.90",
        "Savings: 2 rows, sum -1.50",
        "all accounts in one: 4 rows, sum 94.40",
    ]


def test_a_choice_says_what_of_it_cannot_be_read_or_is_still_open() -> None:
    assert offered(MIXED + "2025-03-17,Savings,TYPO,4o.00\n")[1] == "Savings: 2 rows, sum -1.50; 1 unreadable"
    unsigned = MIXED.replace(",-", ",").replace("PAYROLL", "KITE").replace("INTEREST", "TEA")
    assert offered(unsigned)[0] == "Daily Money: 2 rows, sum 104.10 or -104.10"
    fees = MIXED.replace("Amount", "Amount,Fee").replace("0\n", "0,0.10\n")
    assert offered(fees)[0] == "Daily Money: 2 rows, whose sum depends on another answer"
    both_ways = (
        "Date,Account,Name,Amount,Balance\n2025-03-13,A,X,5.00,105.00\n2025-03-14,A,Y,4.00,101.00\n"
        "2025-03-15,A,Z,9.00,110.00\n2025-03-16,B,Z,-9.00,10.00\n2025-03-17,B,Z,-1.00,9.00\n"
    )
    assert "A: cannot be read: the amounts have no sign, but the balance" in offered(both_ways)[0]


def test_what_one_account_leaves_open_is_asked_after_the_account_was_chosen() -> None:
    content = MIXED.replace("Savings,INTEREST", "Savings,PREVIOUS BALANCE")
    assert [one.key for one in asked(content)] == ["own_account"]
    assert read(content, own_account="Daily Money").total == Decimal("95.90")
    assert [one.key for one in asked(content, own_account="Savings")] == ["balance_rows"]
    assert len(read(content, own_account="Savings", balance_rows="skip").rows) == 1


def test_how_the_file_is_written_is_known_from_all_its_rows() -> None:
    """Only the other account has a day beyond 12, an amount with its part, and one of each sign."""
    content = HEAD + "02/03/2025,A,SHOP,1\n25/03/2025,B,KITE,-2.00\n26/03/2025,B,TEA,-5.50\n"
    (row,) = read(content, own_account="A").rows
    assert (row.date.isoformat(), row.amount) == ("2025-03-02", Decimal(1))


def test_an_unreadable_row_of_another_account_does_not_matter() -> None:
    content = MIXED + "2025-03-17,Savings,TYPO,4o.00\n"
    assert not read(content, own_account="Daily Money").problems
    with pytest.raises(Refused, match=r"f\.csv:6: unreadable amount"):
        read(content, own_account="Savings")


def test_what_was_left_out_or_mixed_is_said() -> None:
    notes = read(MIXED, own_account="Savings").notes
    assert "2 lines left out, of another account or of none: lines 2, 4" in notes
    assert "rows of 2 accounts go into one, as asked for" in read(MIXED, own_account="all").notes


@pytest.mark.parametrize(
    "content", [MIXED, MIXED.replace("Savings", "Daily Money"), "Date,Name,Amount\n2025-03-13,TEA,-1\n"]
)
def test_an_account_that_is_not_in_the_file_is_refused(content: str) -> None:
    with pytest.raises(Refused, match="own_account='Other'"):
        read(content, own_account="Other")


def test_check_digits_tell_an_iban() -> None:
    assert is_iban(ONE) and is_iban("de89 3704 0044 0532 0130 00")
    assert not is_iban(ONE[:-1] + "1") and not is_iban("DE98ZZZ09999999999") and not is_iban("4711")


@pytest.mark.django_db
class TestImported:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        (tmp_path / "mixed.csv").write_text(MIXED)
        return tmp_path / "mixed.csv"

    def test_the_question_is_2_saves_nothing_and_its_command_works(self, file: Path) -> None:
        code, text = run_import(file, "--account", "A", "--skip-bad-rows", "--json")
        assert code == 2 and not Account.objects.exists() and not StatementImport.objects.exists()
        assert "--answer 'own_account=Daily Money'   Daily Money: 2 rows, sum 95.90" in text
        words = shlex.split(text.split("such as: ")[1])
        assert words[:4] == ["manage.py", "import_statement", str(file), "--account"]
        code, text = run_import(*words[2:])
        facts = json.loads(text)
        assert (code, facts["added"], facts["sum"], facts["own_account"]) == (0, 2, "95.90", "Daily Money")

    def test_each_account_s_rows_go_into_their_own_account_once(self) -> None:
        for account in ("Daily Money", "Savings", "Savings"):
            import_file("mixed.csv", MIXED.encode(), account, answers={"own_account": account})
        assert list(Transaction.objects.order_by("date").values_list("account__name", "statement_line")) == [
            ("Daily Money", 2),
            ("Savings", 3),
            ("Daily Money", 4),
            ("Savings", 5),
        ]  # fmt: skip  a row per line says less

    def test_two_parts_in_one_account_count_together(self) -> None:
        for own in ("Daily Money", "Savings"):
            notes = import_file("mixed.csv", MIXED.encode(), "A", answers={"own_account": own}).statement.notes
            import_file("mixed.csv", MIXED.encode(), "B", answers={"own_account": own})
            assert not [note for note in notes if "was imported into" in note]
        assert [*StatementImport.objects.values_list("row_count", flat=True)] == [4, 4]

    def test_the_page_asks_the_same_and_imports_what_was_chosen(self, signed_in: Client, account: Account) -> None:
        file = SimpleUploadedFile("mixed.csv", MIXED.encode())
        page = signed_in.post("/statements/", {"account": account.pk, "file": file}, follow=True).content.decode()
        assert "Daily Money: 2 rows, sum 95.90" in page and page.count('type="radio"') == 3
        assert not Transaction.objects.exists()
        page = signed_in.post("/statements/answer/", {"own_account": "Savings"}, follow=True).content.decode()
        assert "2 added, 0 already there. Sum added: -1.50" in page and not PendingUpload.objects.exists()

    def test_the_page_asks_next_what_the_chosen_account_leaves_open(self, signed_in: Client, account: Account) -> None:
        content = MIXED.replace("Savings,INTEREST", "Savings,PREVIOUS BALANCE")
        file = SimpleUploadedFile("mixed.csv", content.encode())
        signed_in.post("/statements/", {"account": account.pk, "file": file})
        page = signed_in.post("/statements/answer/", {"own_account": "Savings"}, follow=True).content.decode()
        assert "PREVIOUS BALANCE" in page and "own_account" not in page and not Transaction.objects.exists()
        signed_in.post("/statements/answer/", {"balance_rows": "skip"})
        assert Transaction.objects.get().amount == Decimal("-2.50")

    def test_an_answer_is_remembered_with_what_came_after_it(self) -> None:
        content = MIXED.replace("Savings,INTEREST", "Savings,PREVIOUS BALANCE").encode()
        import_file("march.csv", content, "A", answers={"own_account": "Savings", "balance_rows": "skip"})
        outcome = import_file("april.csv", content.replace(b"-03-", b"-04-"), "A")
        assert len(outcome.added) == 1
        assert "answered as before for this account: balance_rows=skip, own_account=Savings" in outcome.statement.notes

    def test_a_file_of_only_the_other_account_is_asked_about(self) -> None:
        import_file("march.csv", MIXED.encode(), "A", answers={"own_account": "Savings"})
        other = MIXED.replace("Savings", "Daily Money").replace("-03-", "-04-").encode()
        with pytest.raises(Asked, match=r"Before, this account got the rows of Savings; this file holds Daily Money"):
            import_file("april.csv", other, "A")
        assert Transaction.objects.count() == 2
        assert len(import_file("april.csv", other, "A", answers={"own_account": "Daily Money"}).added) == 4
        assert import_file("april.csv", other, "B").added  # another account was never asked

    def test_a_file_of_only_the_chosen_account_is_not_asked_about(self) -> None:
        import_file("march.csv", MIXED.encode(), "A", answers={"own_account": "Savings"})
        same = MIXED.replace("Daily Money", "Savings").replace("-03-", "-04-").encode()
        assert len(import_file("april.csv", same, "A").added) == 4
