"""Words that mislead, each kind in a file made up by us: arithmetic decides, or the right answer is offered."""

# ruff: noqa: RUF001  letters of several alphabets are the matter here
from __future__ import annotations

from collections.abc import Iterator

import pytest
from statements.importing import Refused, parse
from statements.reading.asking import Asked
from statements.reading.parsing import Statement

HEAD = "Date,Description,Amount\n"
BALANCED = "Date,Description,Amount,Balance\n"

# Kind -> the file, the keys it is asked about, what came in and went out in truth, line by line.
ASKED = {
    "wages that a firm pays are no money in": (
        HEAD + "2025-03-13,Invoice 7,520.00\n2025-03-14,Salary Ann,-210.00\n2025-03-14,Wages Bob,-190.00\n",
        ["amount_sign"],
        ["520.00", "-210.00", "-190.00"],
    ),
    "a firm that is paid by many and pays one wage": (
        HEAD + "2025-03-13,Client A,52.00\n2025-03-14,Client B,30.00\n2025-03-15,Salary Ann,-90.00\n",
        ["amount_sign"],
        ["52.00", "30.00", "-90.00"],
    ),
    "rents that a landlord is paid are no money out": (
        "Datum;Text;Betrag\n13.03.2025;Miete Whg 1;800,00\n14.03.2025;Miete Whg 2;900,00\n15.03.2025;Strom;-200,00\n",
        ["amount_sign"],
        ["800.00", "900.00", "-200.00"],
    ),
    "invoices that are paid in, in French": (
        "Date;Libellé;Montant\n13/03/2025;FACTURE 7;100,00\n14/03/2025;FACTURE 8;50,00\n15/03/2025;KITE;-20,00\n",
        ["amount_sign"],
        ["100.00", "50.00", "-20.00"],
    ),
    "sales of a shop": (
        HEAD + "2025-03-13,Sale 1,25.00\n2025-03-14,Sale 2,40.00\n2025-03-16,Listing,-3.00\n",
        ["amount_sign"],
        ["25.00", "40.00", "-3.00"],
    ),
    "deposits that are paid": (
        HEAD + "2025-05-13,Venue deposit,-50.00\n2025-05-14,Cottage deposit,-20.00\n2025-05-28,Acme,250.00\n",
        ["amount_sign"],
        ["-50.00", "-20.00", "250.00"],
    ),
    "commissions that are received": (
        HEAD + "2025-06-13,Insurance commission North,12.00\n2025-06-14,Insurance commission South,8.00\n",
        ["amount_sign"],
        ["12.00", "8.00"],
    ),
    "a card whose charges are positive": (
        HEAD + "2025-03-13,LANTERN,18.00\n2025-03-14,KITE,2.00\n2025-03-15,PAYMENT - THANK YOU,-20.00\n",
        ["amount_sign"],
        ["-18.00", "-2.00", "20.00"],
    ),
    "a card whose balance is what is owed": (
        BALANCED + "2025-03-13,Shoes,50.00,50.00\n2025-03-14,Books,30.00,80.00\n2025-03-20,Thanks,-80.00,0.00\n",
        ["amount_sign"],
        ["-50.00", "-30.00", "80.00"],
    ),
    "a card whose balance is what may still be spent": (
        BALANCED + "2025-03-13,Shoes,50.00,950.00\n2025-03-14,Books,30.00,920.00\n2025-03-20,Paid,-80.00,1000.00\n",
        ["amount_sign"],
        ["-50.00", "-30.00", "80.00"],
    ),
    "a savings account, all of it paid in": (
        BALANCED + "2025-03-13,Saved,50.00,50.00\n2025-03-14,Saved,30.00,80.00\n2025-03-20,Saved,5.00,85.00\n",
        ["amount_sign"],
        ["50.00", "30.00", "5.00"],
    ),
    "amounts without a sign, and a column of words in an unknown language": (
        "Kuup;Asi;Suund;Hulk\n2025-03-13;A SHOP;valja;4,10\n2025-03-14;B SHOP;sisse;20,00\n"
        "2025-03-15;C SHOP;valja;1,00\n",
        ["amount_sign"],
        ["-4.10", "20.00", "-1.00"],
    ),
    "debit, credit and a fee": (
        "Date,Description,Type,Amount\n2025-03-13,A,Debit,20.00\n2025-03-14,B,Credit,500.00\n2025-03-15,C,Fee,2.00\n",
        ["direction:fee"],
        ["-20.00", "500.00", "-2.00"],
    ),
    "debit, credit and a refund, which a shop pays": (
        "Date,Description,Type,Amount\n2025-03-13,A,Debit,20.00\n2025-03-14,B,Credit,50.00\n2025-03-15,C,Refund,2.00\n",
        ["direction:refund"],
        ["-20.00", "50.00", "-2.00"],
    ),
    "two amounts": (
        "Date,Description,Amount,Currency,Amount (GBP)\n13/03/2025,Hotel,-100.00,EUR,-86.00\n"
        "14/03/2025,Diner,-50.00,USD,-40.00\n15/03/2025,Grocer,-20.00,GBP,-20.00\n",
        ["amount_column", "currency"],
        ["-86.00", "-40.00", "-20.00"],
    ),
    "a billed and a booked amount": (
        "Date,Description,Transaction Amount,Billing Amount\n2025-03-13,Hotel,-100.00,-86.00\n2025-03-14,X,5.00,4.00\n",
        ["amount_column"],
        ["-86.00", "4.00"],
    ),
    "several currencies by their signs": (
        HEAD + "2025-03-13,Shop,-$10.00\n2025-03-14,Hotel,-€20.00\n2025-03-15,Pub,-£5.00\n",
        ["currency"],
        ["-20.00"],
    ),
    "a purchase that is called a balance": (
        HEAD + "2025-07-13,Final balance on kitchen,-1200.00\n2025-07-15,Grocer,-30.00\n",
        ["balance_rows"],
        ["-1200.00", "-30.00"],
    ),
    "a balance with an amount": (
        HEAD + "2025-03-01,Opening balance,100.00\n2025-03-13,TEA,-4.10\n2025-03-14,TEA,-4.20\n",
        ["balance_rows"],
        ["-4.10", "-4.20"],
    ),
    "one of each": (
        HEAD + "2025-07-01,Opening balance,900.00\n2025-07-13,Final balance on kitchen,-1200.00\n2025-07-15,G,-30.00\n",
        ["balance_rows"],
        ["-1200.00", "-30.00"],
    ),
    "a balance in Swedish": (
        "Datum;Text;Belopp\n2025-03-13;Ingående saldo;1000,00\n2025-03-14;Kiosk;-20,00\n2025-03-15;Kiosk;-30,00\n",
        ["balance_rows"],
        ["-20.00", "-30.00"],
    ),
    "a balance carried forward in German": (
        "Datum;Text;Betrag\n13.03.2025;Saldovortrag;1000,00\n14.03.2025;Kiosk;-20,00\n15.03.2025;Kiosk;-30,00\n",
        ["balance_rows"],
        ["-20.00", "-30.00"],
    ),
    "a balance, abbreviated": (
        "Date;Text;Amount\n13.03.2025;B/F;1000,00\n14.03.2025;Kiosk;-20,00\n15.03.2025;Kiosk;-30,00\n",
        ["balance_rows"],
        ["-20.00", "-30.00"],
    ),
    "a dated total": (
        HEAD + "2025-03-13,Bakery,-10.00\n2025-03-14,Butcher,-60.00\n2025-03-15,Total,-70.00\n",
        ["balance_rows"],
        ["-10.00", "-60.00"],
    ),
    "a dated total in Polish": (
        "Data;Opis;Kwota\n2025-03-13;A;-10,00\n2025-03-14;B;-60,00\n2025-03-15;Razem;-70,00\n",
        ["balance_rows"],
        ["-10.00", "-60.00"],
    ),
    "a dated total in a language that we do not know": (
        "Kuup;Asi;Hulk\n2025-03-13;A;-10,00\n2025-03-14;B;-60,00\n2025-03-14;C;-5,00\n2025-03-15;Kogusumma;-75,00\n",
        ["balance_rows"],
        ["-10.00", "-60.00", "-5.00"],
    ),
    "a total of nothing that the rows prove": (
        HEAD + "2025-03-13,Bakery,-10.00\n2025-03-14,Butcher,-60.00\n,Total,-99.00\n",
        ["undated_rows"],
        ["-10.00", "-60.00"],
    ),
    "rows under a title that says pending": (
        HEAD + "Pending transactions,,\n2025-03-28,Hotel,-400.00\nPosted transactions,,\n2025-03-25,Grocer,-30.00\n",
        ["section"],
        ["-30.00"],
    ),
    "rows under such a title above the header": (
        "Vorgemerkte Umsätze\nDatum;Text;Betrag\n13.03.2025;Hotel;-400,00\nGebuchte Umsätze;;\n"
        "14.03.2025;Kiosk;-30,00\n",
        ["section"],
        ["-30.00"],
    ),
    "rows under titles in a language that we do not know": (
        "Kuup;Asi;Hulk\nOotel;;\n2025-03-28;Hotell;-400,00\nKantud;;\n2025-03-25;Pood;-30,00\n",
        ["section"],
        ["-30.00"],
    ),
    "states in Polish": (
        "Data;Opis;Kwota;Status\n2025-03-13;A;-20,00;zrealizowana\n2025-03-14;B;-500,00;odrzucona\n",
        ["status"],
        ["-20.00"],
    ),
    "states of one letter": (
        "Date,Description,Amount,Status\n2025-03-13,A,-20.00,C\n2025-03-14,B,-500.00,R\n2025-03-15,D,-1.00,C\n",
        ["status"],
        ["-20.00", "-1.00"],
    ),
    "a memo, without a balance": (
        "Date,Name,Net,Balance Impact\n2025-03-13,A,-20.00,Debit\n2025-03-14,B,-55.00,Memo\n2025-03-15,C,9.00,Credit\n",
        ["memo"],
        ["-20.00", "9.00"],
    ),
}  # fmt: skip  a file per line reads better than one wrapped by width


def read(content: str, **answers: str) -> Statement:
    return parse("f.csv", content.encode(), answers)


def paths(content: str, answers: dict[str, str]) -> Iterator[tuple[dict[str, str], Statement]]:
    """Every way through the questions."""
    try:
        yield answers, read(content, **answers)
    except Asked as asked:
        first = asked.questions[0]
        for choice in first.choices:
            yield from paths(content, {**answers, first.key: choice.value})
    except Refused:
        return


@pytest.mark.parametrize("name", ASKED)
def test_it_is_asked_and_an_answer_gives_what_is_true(name: str) -> None:
    content, keys, truth = ASKED[name]
    with pytest.raises(Asked) as caught:
        read(content)
    assert [question.key for question in caught.value.questions] == keys
    offered = [[f"{row.amount:.2f}" for row in statement.rows] for _, statement in paths(content, {})]
    assert truth in offered


@pytest.mark.parametrize(
    "content",
    [
        "Date,Description,Amount\n03/02/2025,COLES PERTH WA,-12.50\n09/02/2025,BUNNINGS JOONDALUP WA,-30.00\n",
        "Date,Description,Amount\n03/02/2025,REWE BERLIN DE,-12.50\n09/02/2025,LIDL POTSDAM DE,-30.00\n",
        "Date,Check No,Description,Amount\n03/02/2025,,POS,-12.50\n09/02/2025,101,Rent,-30.00\n",
        "Date,Description,Amount\n03/02/2025,TEA,-£12.50\n09/02/2025,KITE,-£30.00\n",
        "Fecha,Concepto,Importe\n03/02/2025,CAFE,-12.50\n09/02/2025,KITE,-30.00\n",
    ],
)
def test_places_headers_and_currencies_order_the_choices_of_dates_and_decide_nothing(content: str) -> None:
    with pytest.raises(Asked) as caught:
        read(content)
    (question,) = caught.value.questions
    american = "WA" in content or "DE," in content or "Check" in content
    assert [choice.value for choice in question.choices] == (["mdy", "dmy"] if american else ["dmy", "mdy"])


def test_what_words_suggest_is_the_first_choice() -> None:
    def first(content: str) -> str:
        with pytest.raises(Asked) as caught:
            read(content)
        return caught.value.questions[0].choices[0].value

    assert first(ASKED["a card whose charges are positive"][0]) == "flipped"
    assert first(ASKED["a savings account, all of it paid in"][0]) == "as_is"
    assert first(HEAD + "2025-03-13,PAYROLL,10.00\n2025-03-14,REFUND,20.00\n") == "as_is"
    assert first(ASKED["a balance carried forward in German"][0]) == "skip"
    assert (
        first("Date,Type,Description,Amount\n2025-03-13,Debit,A,1\n2025-03-14,Credit,B,2\n2025-03-15,Refund,C,3\n")
        == "in"
    )
    assert first(ASKED["debit, credit and a fee"][0]) == "out"


# What decides -> the file, the amounts.
DECIDED = {
    "a balance that moves": (
        BALANCED
        + "2025-03-13,Opening balance,-10.00,90.00\n2025-03-14,Final balance,-5.00,85.00\n2025-03-15,X,-1,84.00\n",
        {"balance_rows": "count"},
        ["-10.00", "-5.00", "-1.00"],
    ),
    "a balance that does not move by a memo": (
        "Date,Name,Net,Balance,Impact\n2025-03-13,A,-20.00,80.00,Debit\n2025-03-14,B,-55.00,80.00,Memo\n"
        "2025-03-15,C,97.00,177.00,Credit\n",
        {},
        ["-20.00", "97.00"],
    ),
    "a balance that moves, under an unknown state": (
        "Data;Opis;Kwota;Saldo;Status\n2025-03-13;A;-20,00;80,00;gotowe\n2025-03-14;B;-5,00;75,00;gotowe\n"
        "2025-03-15;C;-1,00;74,00;gotowe\n",
        {"status": "count"},
        ["-20.00", "-5.00", "-1.00"],
    ),
    "gross less fee is net": (
        "Date,Name,Gross,Fee,Net\n2025-03-13,A,-100.00,-3.20,-103.20\n2025-03-14,B,-5.00,0.00,-5.00\n",
        {},
        ["-103.20", "-5.00"],
    ),
    "a balance that explains one of two amounts": (
        "Date,Name,Amount,Amount (EUR),Balance\n2025-03-13,A,-1.00,-10.00,90.00\n2025-03-14,B,-2.00,-5.00,85.00\n"
        "2025-03-15,C,-3.00,-6.00,79.00\n",
        {},
        ["-10.00", "-5.00", "-6.00"],
    ),
    "two amounts that are the same": (
        "Date,Name,Amount,Billed Amount\n2025-03-13,A,-1.00,-1.00\n2025-03-14,B,-2.00,-2.00\n",
        {},
        ["-1.00", "-2.00"],
    ),
}  # fmt: skip  as above


@pytest.mark.parametrize("name", DECIDED)
def test_arithmetic_decides_against_words(name: str) -> None:
    """The first row of a file has no balance before it: about that one alone a person may still be asked."""
    content, answers, truth = DECIDED[name]
    assert [f"{row.amount:.2f}" for row in read(content, **answers).rows] == truth


def test_a_first_row_with_a_fault_is_not_taken_for_a_header() -> None:
    rows = "13/03/2025,Grocer,-20.00\n14/03/2025,Client,900.00\n"
    for first in ("12/03/2025,Rent,-7O0.00\n", "12/O3/2025,Rent,-700.00\n", "12/O3/2025,Rent,-7O0.00\n"):
        with pytest.raises(Refused) as caught:
            read(first + rows)
        assert [problem.line for problem in caught.value.problems] == [1]
    with pytest.raises(Refused, match=r"f\.csv:1"):
        read("12/03/2025,Rent,-7O0,00\n" + rows)
    assert len(read("Kuup,Asi,Hulk\n" + rows).rows) == len(read("Statement of March\n" + rows).rows) == 2


def test_every_line_that_is_left_out_is_listed_with_its_reason() -> None:
    content = (
        "Statement of March\nDate,Description,Amount,Status\n2025-03-13,A,-1.00,Completed\n"
        "2025-03-14,B,-2.00,Declined\n"
        "Date,Description,Amount,Status\n,Total,-1.00,\nThank you\n"
    )
    statement = read(content)
    assert [(line.line, line.why) for line in statement.left_out] == [
        (1, "above the rows"),
        (4, "not completed"),
        (5, "the header again"),
        (6, "a total"),
        (7, "no transaction"),
    ]
    assert statement.left_out[1].at("f.csv") == "f.csv:4: left out, not completed: '2025-03-14 B -2.00 Declined'"
    assert len(statement.rows) + len(statement.left_out) == len(content.splitlines()) - 1  # less the header


def test_both_ways_without_a_column_that_says_which_end_in_a_refusal_that_says_so() -> None:
    with pytest.raises(Refused, match="some amounts without a sign came in and some went out"):
        read(HEAD + "2025-03-13,A,1.00\n2025-03-14,B,2.00\n", amount_sign="neither")


@pytest.mark.parametrize(
    ("text", "encoding", "offered"),
    [
        ("Płatność kartą Żabka", "cp1250", "cp1250"),
        ("Płatność kartą Żabka", "iso-8859-2", "iso-8859-2"),
        ("Příjem Výběr z bankomatu", "cp1250", "cp1250"),
        ("Fizetés Győr", "cp1250", "cp1250"),
        ("Plată Braşov", "cp1250", "cp1250"),
        ("Оплата картой Перевод", "cp1251", "cp1251"),
        ("Оплата картой Перевод", "koi8-r", "koi8-r"),
        ("Αγορά Πληρωμή", "cp1253", "cp1253"),
        ("Maaş Işık market", "cp1254", "cp1254"),
        ("Mokėjimas kortele Šiauliai", "cp1257", "cp1257"),
        ("Prélèvement épicerie", "cp850", "cp850"),
        ("Prélèvement épicerie", "mac_roman", "mac_roman"),
        ("Płatność kartą Żabka", "cp852", "cp852"),
    ],
)
def test_an_encoding_that_reads_wrong_in_silence_is_asked_about_with_samples(
    text: str, encoding: str, offered: str
) -> None:
    content = f"{HEAD}2025-03-13,{text},-1.00\n".encode(encoding)
    with pytest.raises(Asked) as caught:
        parse("f.csv", content)
    (question,) = caught.value.questions
    assert question.key == "encoding" and offered in [choice.value for choice in question.choices]
    sample = next(choice.label for choice in question.choices if choice.value == offered)
    assert any(word in sample for word in text.split())
    statement = parse("f.csv", content, {"encoding": offered})
    assert statement.rows[0].description == text and statement.layout == caught.value.layout


@pytest.mark.parametrize(
    "text",
    [
        "Prélèvement épicerie",
        "CAFÉ À LA GARE",
        "Bäckerei Süß",
        "España Alimentación niño",
        "Cartão de crédito",
        "Caffè città più",
        "Køb Netto kørsel på æble",
        "Käteisnosto Hämeenlinna",
        "Café – 20 € l’été",
    ],
)  # fmt: skip  a text per line would fill a page
def test_western_europe_is_not_asked_about(text: str) -> None:
    assert parse("f.csv", f"{HEAD}2025-03-13,{text},-1.00\n".encode("cp1252")).rows[0].description == text
