"""Any bank's CSV: each trait in a file made up by us. What the cells do not decide is asked, never guessed."""

from __future__ import annotations

import time
from datetime import date
from decimal import Decimal

import pytest
from statements.importing import Refused, parse
from statements.reading import amounts, dates, text
from statements.reading.asking import Asked
from statements.reading.parsing import Statement, Unreadable

HEAD = "Date,Description,Amount\n"


def read(content: str | bytes, **answers: str) -> Statement:
    return parse("f.csv", content.encode() if isinstance(content, str) else content, answers)


def asked(content: str, **answers: str) -> list[str]:
    with pytest.raises(Asked) as caught:
        read(content, **answers)
    return [question.key for question in caught.value.questions]


def refused(content: str | bytes, **answers: str) -> list[str]:
    with pytest.raises(Refused) as caught:
        read(content, **answers)
    return [problem.at("f.csv") for problem in caught.value.problems]


def worth(content: str | bytes, **answers: str) -> list[str]:
    return [f"{row.amount:.2f}" for row in read(content, **answers).rows]


# Each: what is special -> file, amounts.
FILES = {
    "signed amounts": (HEAD + "2025-03-01,TEA,-4.10\n2025-03-02,PAYROLL,2500.00\n", ["-4.10", "2500.00"]),
    "debit and credit": ("Date,Payee,Debit,Credit\n2025-03-01,TEA,4.10,\n2025-03-02,REFUND,,3\n", ["-4.10", "3.00"]),
    "credit with a minus": (
        "Date,Payee,Debit,Credit\n2025-03-01,TEA,4.10,\n2025-03-02,BACK,,-3.00\n",
        ["-4.10", "3.00"],
    ),
    "debit with a minus": (
        "Datum;Text;Belastung;Gutschrift\n1.3.2025;TEE;-4,10;\n2.3.2025;LOHN;;3,00\n",
        ["-4.10", "3.00"],
    ),
    "zeros on the other side": (
        "Date,Payee,Paid out,Paid in\n13/3/2025,TEA,4.10,0.00\n14/3/2025,PAY,0.00,9\n",
        ["-4.10", "9.00"],
    ),
    "a month without money in": (
        "Date,Payee,Debit,Credit\n2025-03-01,TEA,4.10,\n2025-03-02,TEA,5.10,\n",
        ["-4.10", "-5.10"],
    ),
    "a column that says which way": (
        "Date,Description,Amount,Transaction Type\n2025-03-01,TEA,4.10,debit\n2025-03-02,GIFT,7.00,credit\n",
        ["-4.10", "7.00"],
    ),
    "S and H": (
        "Buchungstag;Text;Umsatz;S/H\n13.03.2025;Miete;750,00;S\n14.03.2025;Lohn;1.800,00;H\n",
        ["-750.00", "1800.00"],
    ),
    "Af and Bij without header": (
        '20250313,KAAS,NL1,Af,"136,13",x\n20250314,BAAS,NL2,Bij,"1.375,00",y\n',
        ["-136.13", "1375.00"],
    ),
    "signed, and a column that says the opposite": (
        "Date,Name,Amount,Type\n2025-03-01,TEA,4.10,debit\n2025-03-02,GIFT,-7.00,credit\n2025-03-03,A,1,debit\n",
        ["-4.10", "7.00", "-1.00"],
    ),
    "CR and DR": (HEAD + '2025-03-13,TEA,45.20 DR\n2025-03-14,GIFT,"1,000.00 CR"\n', ["-45.20", "1000.00"]),
    "minus behind": (HEAD + "2025-03-13,TEA,45.20-\n2025-03-14,GIFT,10.00\n", ["-45.20", "10.00"]),
    "blanks as groups": (
        "Date;Libellé;Montant\n13/03/2025;LOYER;-1\u202f050,00 €\n14/03/2025;X;2 000,00 €\n",
        ["-1050.00", "2000.00"],
    ),
    "apostrophes as groups": (
        "Datum;Beschreibung;Belastung;Gutschrift\n13.03.2025;COOP;1'045.20;\n14.03.2025;LOHN;;2\u2019000.00\n",
        ["-1045.20", "2000.00"],
    ),
    "India's groups": (
        'Date,Narration,Withdrawal,Deposit\n13/03/2025,A,"1,23,456.00",\n14/03/2025,B,,"2,00,000.00"\n',
        ["-123456.00", "200000.00"],
    ),
    "thousands that only the currency explains": (
        HEAD + '2025-03-13,A,"-£1,234"\n2025-03-14,B,£20\n',
        ["-1234.00", "20.00"],
    ),
    "cents": (
        "id,created_at,description,amount_cents\n1,2025-03-02T10:00:00Z,TEA,-1234\n2,2025-03-03T10:00:00Z,X,5\n",
        ["-12.34", "0.05"],
    ),
    "a balance and no header": (
        "2025-03-13,TEA,-4.00,96.00\n2025-03-14,GIFT,10.00,106.00\n2025-03-15,TEA,-6.00,100.00\n",
        ["-4.00", "10.00", "-6.00"],
    ),
    "two sides, a balance and no header": (
        "3/28/2025,PAY,,50.00,150.00\n3/27/2025,CHECK,76.00,,100.00\n3/26/2025,TEA,4.00,,176.00\n",
        ["50.00", "-76.00", "-4.00"],
    ),
    "fees on top": (
        "Date,Description,Amount,Fee,Balance\n2025-03-13,A,-10.00,0.50,89.50\n2025-03-14,B,-5.00,0.00,84.50\n2025-03-15,C,9.00,0.25,93.25\n",
        ["-10.50", "-5.00", "8.75"],
    ),
    "fees inside": (
        "Date,Description,Amount,Fee,Balance\n2025-03-13,A,-10.00,0.50,90.00\n2025-03-14,B,-5.00,0.00,85.00\n2025-03-15,C,9.00,0.25,94.00\n",
        ["-10.00", "-5.00", "9.00"],
    ),
    "gross, fee and net": (
        "Date,Name,Gross,Fee,Net\n2025-03-13,A,100.00,-3.20,96.80\n2025-03-14,B,-5.00,0.00,-5.00\n",
        ["96.80", "-5.00"],
    ),
    "a reversal among charges": (
        "Date,Name,Debit,Credit,Balance\n2025-03-13,A,10.00,,90.00\n2025-03-14,B,5.00,,85.00\n2025-03-15,B,-5.00,,90.00\n",
        ["-10.00", "-5.00", "5.00"],
    ),
    "states": (
        "Date,Name,Amount,Status\n2025-03-13,A,-1.00,Completed\n2025-03-14,B,-2.00,Declined\nPending,C,-3.00,\n",
        ["-1.00"],
    ),
    "a US address has a state": (
        "Date,Amount,Description,City,State\n2025-03-13,-1.00,A,Portland,OR\n2025-03-14,-2.00,B,Boise,ID\n",
        ["-1.00", "-2.00"],
    ),
    "preamble, totals, footer": (
        "Account:;12345\nFrom:;01.03.2025\nBalance on 31.03.2025:;1.234,56 EUR\n\nDatum;Text;Betrag;Saldo\n"
        "31.03.2025;Endsaldo;;1.234,56\n13.03.2025;TEE;-4,10;1.234,56\n;Summe;-4,10;\nAlle Angaben ohne Gewähr\n",
        ["-4.10"],
    ),
    "a total named last": (HEAD + "2025-03-13,TEA,-4.10\nTransactions Total,,-4.10\n", ["-4.10"]),
    "the header again": (HEAD + "2025-03-13,TEA,-4.10\n" + HEAD + "2025-03-14,TEA,-5.10\n", ["-4.10", "-5.10"]),
    "Excel's first line": ("sep=;\nDate;Description;Amount\n2025-03-13;TEA;-4,10\n", ["-4.10"]),
    "a blank before the quote": ('Date, Description, Amount\n2025-03-13, "TEA, GREEN", "-1,004.10"\n', ["-1004.10"]),
    "leading zeros as a spreadsheet keeps them": ('Date,Description,Amount\n="2025-03-13",TEA,="-4.10"\n', ["-4.10"]),
    "tabs": ("Date\tDescription\tAmount\n2025-03-13\tTEA\t-4,10\n", ["-4.10"]),
    "pipes": ("Date|Description|Amount\n2025-03-13|TEA, GREEN|-4.10\n", ["-4.10"]),
    "names in an unknown language": (
        "Kuup;Asi;Hulk\n2025-03-13;A SHOP;-4,10\n2025-03-14;B SHOP;20,00\n",
        ["-4.10", "20.00"],
    ),
    "old Macintosh line ends": ("Date,Description,Amount\r2025-03-13,TEA,-4.10\r", ["-4.10"]),
    "no decimals needed": (HEAD + "2025-03-13,TEA,-4\n2025-03-14,GIFT,20\n", ["-4.00", "20.00"]),
}  # fmt: skip  a file per line reads better than one wrapped by width


@pytest.mark.parametrize("name", FILES)
def test_it_reads_every_amount(name: str) -> None:
    content, expected = FILES[name]
    assert worth(content) == expected


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "iso-8859-1"]
)
def test_it_reads_every_encoding(encoding: str) -> None:
    content = "Date;Libellé;Montant\n2025-03-13;CAFÉ À LA GARE;-4,10\n2025-03-14;DÉPÔT;20,00\n"
    found = read(content.encode(encoding))
    assert [row.description for row in found.rows] == ["CAFÉ À LA GARE", "DÉPÔT"]
    assert any("not UTF-8" in note for note in found.notes) == (encoding in ("cp1252", "iso-8859-1"))


def test_a_byte_that_cp1252_does_not_know_is_iso_8859_1() -> None:
    assert text.decode(b"Date\x81")[1] == "iso-8859-1"


@pytest.mark.parametrize("content", [b"\xef\xbb\xbfcaf\xe9", b"\xff\xfea"])
def test_a_mark_that_lies_is_refused(content: bytes) -> None:
    assert "the file says it is utf" in refused(content)[0]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"OFXHEADER:100\nDATA:OFXSGML\n", "OFX, QFX and QBO files are not read yet"),
        (b"<?xml version='1.0'?>\n<?OFX OFXHEADER='200'?>", "OFX"),
        ("<OFX>".encode("utf-16"), "OFX"),
        (b"!Type:Bank\nD1/2/25\n", "QIF files are not read yet"),
        (b"\xef\xbb\xbf!Type:CCard\n", "QIF"),
        (b"%PDF-1.7\n/Encrypt 5 0 R", "needs a password"),
        (b":20:STARTUMS\n:25:1/2\n", "MT940 files are not read yet"),
        (b"<?xml version='1.0'?><Document/>", "XML"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b'[{"date": "2025-03-01"}]', "JSON"),
        (b"PK\x03\x04rest", "a spreadsheet"),
        (b"\xd0\xcf\x11\xe0rest", "an old Excel file"),
        (b"\x89PNG\r\n", "a picture"),
        (b"\x01\x02\x03" * 50, "not a text file"),
        (b"Dear reader,\nthis is a letter, not a statement.\n", "not a statement we know"),
        (b"name,age\nAnn,5\nBob,6\n", "not a statement we know"),
        (b"Date,Description,Amount\n" + b"x," * 200 + b"\n", "at most 100 are read"),
        (b'Date,Description,Amount\n2025-03-01,"TEA,-4.10\n', "broken CSV"),
    ],
)
def test_what_is_no_statement_is_refused_by_what_is_in_it(content: bytes, says: str) -> None:
    assert says in refused(content)[0]


@pytest.mark.parametrize(
    "content", ["name,description,amount,currency", "Date,Description,Amount\n", "Datum;Betrag;Text\n"]
)
def test_a_header_alone_is_a_statement_of_nothing(content: str) -> None:
    assert read(content).notes == ("the file holds a header and no transactions",)


class TestProblems:
    """A row that cannot be read is named; the others are counted, and nothing is guessed."""

    @pytest.mark.parametrize(
        ("row", "says"),
        [
            ("soon,TEA,-1.00", "unreadable date 'soon'"),
            (",TEA,-1.00", "the date is empty"),
            ("2025-02-30,TEA,-1.00", "unreadable date '2025-02-30'"),
            ("2025-03-13,TEA,4o.00", "unreadable amount '4o.00'"),
            ("2025-03-13,TEA,", "the amount is empty"),
            ("2025-03-13,TEA,-1,234.00", "4 columns instead of 3"),
            ("2025-03-13,TEA,1.234,00", "4 columns instead of 3"),
            ('2025-03-13,TEA,"1.234,00"', "the other rows' decimal mark is '.'"),
            ("2025-03-13,TEA,12345678901234567.00", "more digits than the ledger keeps"),
            ("2025-03-13,TEA,1.234567", "more digits than the ledger keeps"),
            (f"2025-03-13,{'x' * 1001},1.00", "the description has 1001 characters"),
        ],
    )
    def test_it_is_named_with_its_line(self, row: str, says: str) -> None:
        good = "2025-03-01,TEA,-4.10\n2025-03-02,PAYROLL,2500.00\n2025-03-02,TEA,-4.10\n"
        (problem,) = refused(f"{HEAD}{good}{row}\n")
        assert problem.startswith("f.csv:5: ") and says in problem

    def test_both_sides_filled_is_one(self) -> None:
        content = "Date,Payee,Debit,Credit\n2025-03-01,TEA,4.10,3.00\n2025-03-02,TEA,4.10,\n"
        assert "both sides are filled" in refused(content)[0]

    def test_an_amount_without_sign_and_direction_is_one(self) -> None:
        rows = "".join(f"2025-03-{day},TEA,1.00,{'debit' if day % 2 else 'credit'}\n" for day in range(11, 25))
        content = f"Date,Description,Amount,Type\n{rows}2025-03-26,TEA,1.00,\n"
        assert "nothing says whether it is debit or credit" in refused(content)[0]

    def test_amounts_without_sign_whose_balance_goes_both_ways_are_refused(self) -> None:
        content = (
            "Date,Name,Amount,Balance\n2025-03-13,A,5.00,105.00\n2025-03-14,B,4.00,101.00\n2025-03-15,C,9.00,110.00\n"
        )
        assert "the amounts have no sign, but the balance goes up and down" in refused(content)[0]

    def test_a_date_of_the_other_order_is_one(self) -> None:
        rows = "".join(f"{day}/03/2025,TEA,-1.00\n" for day in range(13, 20))
        assert refused(f"{HEAD}{rows}03/25/2025,TEA,-1.00\n") == [
            "f.csv:9: unreadable date '03/25/2025': the other rows are day/month/year"
        ]

    def test_a_second_table_is_refused(self) -> None:
        content = HEAD + "2025-03-13,TEA,-1.00\n\nDate,Symbol,Quantity,Amount\n2025-03-13,X,5,10.00\n"
        assert "f.csv:4: a second table with other columns begins here" in refused(content)[0]

    def test_a_check_number_too_long_is_one(self) -> None:
        content = f"Date,Description,Amount,Check Number\n2025-03-13,TEA,-1.00,{'1' * 51}\n"
        assert "the check number has 51 characters" in refused(content)[0]


class TestQuestions:
    def test_day_or_month_first(self) -> None:
        content = HEAD + "02/03/2025,TEA,-1.00\n02/04/2025,TEA,-2.00\n"
        assert asked(content) == ["date_order"]
        assert read(content, date_order="mdy").rows[0].date == date(2025, 2, 3)
        assert read(content, date_order="dmy").rows[0].date == date(2025, 3, 2)

    def test_which_sign_is_a_charge(self) -> None:
        content = HEAD + "2025-03-13,LANTERN,10.00\n2025-03-14,KITE,20.00\n"
        assert asked(content) == ["amount_sign"]
        assert worth(content, amount_sign="flipped") == ["-10.00", "-20.00"]

    def test_a_card_s_export_without_a_payment_is_asked_about(self) -> None:
        assert asked("Date,Description,Card Number,Amount\n2025-03-13,LANTERN,1,-10.00\n2025-03-14,KITE,1,2.00\n") == [
            "amount_sign"
        ]

    def test_which_decimal_mark(self) -> None:
        content = "Datum;Text;Betrag\n13.03.2025;LADEN;-1.234\n14.03.2025;DRACHEN;-2.000\n"
        assert asked(content) == ["decimal_mark"]
        assert worth(content, decimal_mark=",") == ["-1234.00", "-2000.00"]
        assert read(content, decimal_mark=".").rows[0].amount == Decimal("-1.234")

    def test_which_column_is_the_amount(self) -> None:
        content = "2025-03-13,TEA,-4.00,17.20\n2025-03-14,TEA,-5.00,31.90\n"
        assert "amount_column" in asked(content)
        assert worth(content, amount_column="3") == ["-4.00", "-5.00"]

    def test_which_column_is_money_out(self) -> None:
        content = "2025-03-13,LANTERN,4.00,\n2025-03-14,KITE,,5.00\n"
        assert asked(content) == ["money_out_column"]
        assert worth(content, money_out_column="4") == ["4.00", "-5.00"]

    def test_what_a_minus_in_a_column_of_charges_means(self) -> None:
        content = "Date,Name,Debit,Credit\n2025-03-13,A,10.00,\n2025-03-14,B,5.00,\n2025-03-15,B,-5.00,\n"
        assert asked(content) == ["mixed_signs"]
        assert worth(content, mixed_signs="reversal")[-1] == "5.00"
        assert worth(content, mixed_signs="ignore")[-1] == "-5.00"

    def test_whether_fees_come_on_top(self) -> None:
        content = "Date,Description,Amount,Fee\n2025-03-13,A,-10.00,0.50\n2025-03-14,B,-5.00,0.00\n"
        assert asked(content) == ["fee"]
        assert worth(content, fee="deduct") == ["-10.50", "-5.00"]
        assert worth(content, fee="included") == ["-10.00", "-5.00"]

    def test_whether_a_state_means_that_money_moved(self) -> None:
        content = "Date,Name,Amount,Status\n2025-03-13,A,-1.00,Completed\n2025-03-14,B,-2.00,Quantum\n"
        assert asked(content) == ["status"]
        assert worth(content, status="skip") == ["-1.00"]
        assert worth(content, status="count") == ["-1.00", "-2.00"]

    def test_whether_a_balance_carried_over_is_a_transaction(self) -> None:
        content = HEAD + "2025-03-01,PREVIOUS BALANCE,-412.00\n2025-03-13,TEA,-1.00\n2025-03-14,TEA,-2.00\n"
        assert asked(content) == ["balance_rows"]
        assert worth(content, balance_rows="skip") == ["-1.00", "-2.00"]

    def test_which_currency_the_account_holds(self) -> None:
        content = "Date,Name,Amount,Currency\n2025-03-13,A,-1.00,EUR\n2025-03-14,B,-2.00,USD\n"
        assert asked(content) == ["currency"]
        assert worth(content, currency="USD") == ["-2.00"]
        assert worth(content, currency="all") == ["-1.00", "-2.00"]
        assert (read(content, currency="EUR").currency, read(content, currency="all").currency) == ("EUR", "")

    def test_a_column_with_one_value_says_nothing_of_signs(self) -> None:
        content = "Date,Name,Amount,Card Type\n2025-03-13,A,-10.00,Credit\n2025-03-14,B,-5.00,Credit\n"
        assert worth(content) == ["-10.00", "-5.00"]
        assert worth(content.replace("Card Type", "Type")) == ["-10.00", "-5.00"]
        assert asked(content.replace(",-", ",")) == ["amount_sign"]
        assert worth("Date,Name,Amount,Type\n2025-03-13,A,10.00,Debit\n2025-03-14,B,5.00,Debit\n") == [
            "-10.00",
            "-5.00",
        ]

    def test_an_answer_to_what_is_certain_changes_nothing(self) -> None:
        assert worth(FILES["debit and credit"][0], amount_sign="flipped") == ["-4.10", "3.00"]


class TestDates:
    @pytest.mark.parametrize(
        ("written", "day"),
        [
            ("2025-03-13", date(2025, 3, 13)),
            ("2025/3/13", date(2025, 3, 13)),
            ("20250313", date(2025, 3, 13)),
            ("20250313120000[0:GMT]", date(2025, 3, 13)),
            ("13.3.2025", date(2025, 3, 13)),
            ("13. 3. 2025", date(2025, 3, 13)),
            ("13 Mar 2025", date(2025, 3, 13)),
            ("13-Mar-25", date(2025, 3, 13)),
            ("Mar 13, 2025", date(2025, 3, 13)),
            ("March 13th, 2025", date(2025, 3, 13)),
            ("13. März 2025", date(2025, 3, 13)),
            ("13 août 2025", date(2025, 8, 13)),
            ("2025-Mar-13", date(2025, 3, 13)),
            ("Thu, 13 Mar 2025", date(2025, 3, 13)),
            ("2025-03-13T09:12:44Z", date(2025, 3, 13)),
            ("2025-03-13 09:12:44.123 +0100", date(2025, 3, 13)),
            ("13/03/2025 9:05 PM", date(2025, 3, 13)),
            ("03/13/2025 as of 03/12/2025", date(2025, 3, 13)),
            ("13/03/25", date(2025, 3, 13)),
            ("31-12-99", date(1999, 12, 31)),
        ],
    )
    def test_it_reads(self, written: str, day: date) -> None:
        assert day in dates.readings(written).values()

    @pytest.mark.parametrize(
        "written",
        ["", "soon", "2025", "13.13.2025", "2025-02-30", "1234567890", "12345678", "1.234,56", "13/03/202", "1/2/3",
         "31 Foo 2025", "2025-3-2025", "-4.10", "99/99/9999", "0000-01-01", "1.2.2025 and more", "9" * 5000],
    )  # fmt: skip
    def test_it_takes_nothing_else_for_a_date(self, written: str) -> None:
        assert dates.readings(written) == {}

    @pytest.mark.parametrize(
        ("content", "day"),
        [
            # one day beyond 12, even in a row that is left out
            (HEAD + "10/31/2025,Opening balance,\n11/01/2025,TEA,-1.00\n", date(2025, 11, 1)),
            # the line above the table
            ("Statement as of 03/31/2025,,\n" + HEAD + "03/04/2025,TEA,-1.00\n", date(2025, 3, 4)),
            # two dates of a row are days apart
            ("Trans Date,Post Date,Name,Amount\n03/04/2025,03/06/2025,TEA,-1.00\n", date(2025, 3, 4)),
            # points are day first
            ("Date,Description,Amount\n03.04.2025,TEA,-1.00\n", date(2025, 4, 3)),
            # a decimal comma
            ("Date;Name;Amount\n03/04/2025;TEA;-1,00\n", date(2025, 4, 3)),
            # all on the same day of scattered months otherwise
            (HEAD + "".join(f"03/0{n}/2025,SHOP {n},-1.00\n" for n in (1, 2, 5, 8)), date(2025, 3, 1)),
            # two digits: day first, or the rows are scattered over years
            ("Date,Name,Amount\n" + "".join(f"{n}.03.25,SHOP,-1.00\n" for n in (10, 11, 12)), date(2025, 3, 10)),
        ],
    )  # fmt: skip
    def test_the_file_decides_the_order(self, content: str, day: date) -> None:
        assert read(content).rows[0].date == day

    def test_monthly_on_the_same_day_is_no_evidence(self) -> None:
        assert asked(HEAD + "".join(f"0{n}/01/2025,RENT {n},-1.00\n" for n in range(1, 9))) == ["date_order"]


class TestAmounts:
    @pytest.mark.parametrize(
        ("cell", "mark", "negative"),
        [("1,234.50", ".", False), ("1.234,50", ",", False), ("(5.00)", ".", True), ("$(5.00)", ".", True),
         ("-$5.00", ".", True), ("$ -5,00", ",", True), ("5.00-", ".", True), ("\u22125.00", ".", True),
         ("EUR 5,00", ",", False), ("5.00 CHF", ".", False), ("R$ 5,00", ",", False), ("kr 5,00", ",", False),
         ("+ $5.00", ".", False), ("5.00 DR", ".", True), ("1 234,00", ",", False), (".50", ".", False)],
    )  # fmt: skip
    def test_it_reads_what_banks_write(self, cell: str, mark: str, negative: bool) -> None:
        found = amounts.read(cell)
        assert found and (amounts.mark_of(found.body), found.negative) == (mark, negative)

    @pytest.mark.parametrize(
        "cell",
        ["", "-", "abc", "1e5", "0x10", "--5", "+-5", "(-5)", "(5", "5)", ")5(", "5 apples", "12.3.4", "1,2345.00",
         "1_000", "٣", "5 CR-", "1.2.3,4", "5%", "#5", "1,23,45", "01,234.00", "5..", "NaN", "9" * 61, "5\x005"],
    )  # fmt: skip
    def test_it_takes_nothing_else_for_an_amount(self, cell: str) -> None:
        assert amounts.read(cell) is None

    def test_zeros_behind_the_part_may_be_many(self) -> None:
        assert read(HEAD + "2025-03-13,TEA,-1.5000000000\n").rows[0].amount == Decimal("-1.5")


def test_what_is_left_out_is_said_with_its_lines() -> None:
    content, _ = FILES["preamble, totals, footer"]
    notes = read(content).notes
    assert "1 line left out, a balance: line 6" in notes and "1 line left out, a total: line 8" in notes
    assert "1 line left out, no transaction: line 9" in notes


def test_the_description_is_the_payee_and_the_row_keeps_all_its_cells() -> None:
    content = "Date,Type,Payee,Memo,Amount\n2025-03-13,POS,LANTERN BOOKS,two novels,-4.10\n2025-03-14,FEE,,card,-1\n"
    found = read(content).rows
    assert [row.description for row in found] == ["LANTERN BOOKS", "card"]
    assert found[0].cells == ("2025-03-13", "POS", "LANTERN BOOKS", "two novels", "-4.10")
    assert read("Date,Amount\n2025-03-13,-4.10\n").rows[0].description == "(no description)"


def test_the_check_number_is_kept() -> None:
    assert read("Date,Description,Amount,Check #\n03/13/2025,CHECK,-1.00,1042\n").rows[0].check_number == "1042"


@pytest.mark.parametrize("junk", [b"a" * 3_000_000, b"," * 3_000_000, b'"' * 3_000_000, b"2025-03-13," * 300_000])
def test_junk_is_refused_soon(junk: bytes) -> None:
    started = time.monotonic()
    refused(junk)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("head", "row"),
    [
        (HEAD, "13/03/2025,LANTERN BOOKS AND MORE,-14.10\n"),
        ("", "13/03/2025,LANTERN BOOKS AND MORE,-14.10\n"),
        ("date,description,amount_cents\n", "13/03/2025,LANTERN BOOKS AND MORE,-1410\n"),
    ],
)
def test_time_grows_with_the_file_and_not_faster(head: str, row: str) -> None:
    def seconds(rows: int) -> float:
        content = (head + row * rows).encode()
        started = time.process_time()
        assert len(read(content).rows) == rows
        return time.process_time() - started

    seconds(100)
    assert seconds(20_000) < 20 * max(seconds(2_000), 0.05)


def test_a_record_cut_off_by_the_sample_does_not_matter() -> None:
    rows = "2025-03-13;LANTERN BOOKS, THE SECOND;-14,10\n" * 3000
    assert len(read("Datum;Text;Betrag\n" + rows).rows) == 3000


def test_an_amount_too_long_for_a_cell_is_no_amount() -> None:
    with pytest.raises(Unreadable, match="NUL"):
        text.decode("Date,x\x00\u20ac".encode())
