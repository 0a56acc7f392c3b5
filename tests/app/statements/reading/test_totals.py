"""A line of amounts without date and text: left out where the rows prove it a total or a balance, else an error."""

from __future__ import annotations

import time

import pytest
from statements.importing import Refused, parse
from statements.reading.parsing import Statement

HEAD = "Date,Description,Extra,Amount\n"
ROWS = "2025-03-13,TEA,,-4.10\n2025-03-14,PAYROLL,,200.00\n2025-03-15,KITE,,-10.00\n"
SIDES = (
    "Date,Payee,Debit,Credit,Balance\n2025-03-13,A,10.00,,90.00\n2025-03-14,B,,5.00,95.00\n2025-03-15,C,1.00,,94.00\n"
)


def read(content: str, **answers: str) -> Statement:
    return parse("f.csv", content.encode(), answers)


# What proves it -> file, how many rows it has, the note.
PROVEN = {
    "the sum": (HEAD + ROWS + ",,,185.90\n", 3, "a total: line 5"),
    "the sum, without its sign": (HEAD + ROWS.replace("200", "2") + ",,,12.10\n", 3, "a total: line 5"),
    "money out": (HEAD + ROWS + ",,,-14.10\n", 3, "a total: line 5"),
    "money in": (HEAD + ROWS + ",,,200.00\n", 3, "a total: line 5"),
    "money out, money in, the sum": (HEAD + ROWS + ",,,-14.10\n,,,200.00\n,,,185.90\n", 3, "a total: lines 5, 6, 7"),
    "dashes for what is empty": (HEAD + ROWS + "-,-,,185.90\n", 3, "a total: line 5"),
    "above the rows": (HEAD + ",,,185.90\n" + ROWS, 3, "a total: line 2"),
    "page by page": (
        HEAD + ROWS + ",,,185.90\n2025-03-16,X,,-1.00\n,,,-1.00\n,,,184.90\n",
        4,
        "a total: lines 5, 7, 8",
    ),
    "semicolons and a decimal comma": (
        'Datum;Text;x;Betrag\n13.03.2025;TEE;;"-1.000,00"\n14.03.2025;LOHN;;"2.234,00"\n;;;"1.234,00"\n',
        2,
        "a total: line 4",
    ),
    "both sides": (SIDES + ",,11.00,5.00,\n", 3, "a total: line 5"),
    "both sides and the closing balance": (SIDES + ",,11.00,5.00,94.00\n", 3, "a total: line 5"),
    "a closing balance among the amounts": (SIDES + ",,94.00,,\n", 3, "a total: line 5"),
    "an opening balance among the amounts": (SIDES.replace("e\n", "e\n,,,100.00,\n", 1), 3, "a total: line 2"),
    "balances before and after, without a column": (
        HEAD + ",,,100.00\n" + ROWS + ",,,285.90\n",
        3,
        "a balance: lines 2, 6",
    ),
    "the currency beside it": (
        "Date,Name,Amount,Currency\n2025-03-13,A,-18.00,EUR\n2025-03-14,B,2.00,EUR\n,,-16.00,EUR\n",
        2,
        "a total: line 4",
    ),
    "amounts whose signs were turned round": (
        "Date,Description,Amount\n2025-03-13,LANTERN,18.00\n2025-03-14,KITE,2.00\n"
        "2025-03-15,PAYMENT - THANK YOU,-20.00\n,,20.00\n",
        3,
        "a total: line 5",
    ),
    "a column that says which way": (
        "Date,Description,Amount,Type\n2025-03-13,A,18.00,debit\n2025-03-14,B,2.00,credit\n,,16.00,\n",
        2,
        "a total: line 4",
    ),
    "no header": ("2025-03-13,LANTERN,-4.00\n2025-03-14,KITE,-5.00\n,,-9.00\n", 2, "a total: line 3"),
    "no header, two sides": (
        "3/28/2025,PAY,,50.00,150.00\n3/27/2025,CHECK,76.00,,100.00\n3/26/2025,TEA,4.00,,176.00\n,,80.00,50.00,\n",
        3,
        "a total: line 4",
    ),
    "cents": ("created_at,name,amount_cents\n2025-03-13,A,-1234\n2025-03-14,B,5\n,,-1229\n", 2, "a total: line 4"),
}  # fmt: skip  a file per line reads better than one wrapped by width


@pytest.mark.parametrize("name", PROVEN)
def test_a_line_that_the_rows_prove_a_total_or_a_balance_is_left_out_with_a_note(name: str) -> None:
    content, count, note = PROVEN[name]
    statement = read(content, **({"amount_sign": "flipped"} if "turned round" in name else {}))
    assert len(statement.rows) == count and not statement.problems
    assert any(note in one for one in statement.notes)


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        (
            HEAD + ROWS + ",,,123.45\n",
            5,
            "an amount without date and text, '123.45': no total of the other rows (their sum is 185.90)",
        ),
        (HEAD + ROWS + ",,,185.91\n", 5, "no total"),
        (SIDES + ",,11.00,6.00,\n", 5, "'11.00' and '6.00': no total"),
        (SIDES + ",,11.00,5.00,93.00\n", 5, "no total"),
        (HEAD + ",,,100.00\n" + ROWS + ",,,285.91\n", 2, "no total"),
        (HEAD + ROWS + ",,,185.9.0\n", 5, "the date is empty"),
        (HEAD + ROWS + ",,x,185.90\n", 5, "the date is empty"),
        (HEAD + ",,,5.00\n2025-03-13,TEA,,x\n", 2, "no total"),
    ],
)  # fmt: skip  as above
def test_another_is_a_row_s_error_that_says_which_and_why(content: str, line: int, says: str) -> None:
    with pytest.raises(Refused) as caught:
        read(content)
    problem = caught.value.problems[0]
    assert problem.line == line and says in problem.what


def test_a_row_that_cannot_be_read_leaves_its_total_unproven() -> None:
    with pytest.raises(Refused) as caught:
        read(HEAD + ROWS + "2025-03-16,TYPO,,4o.00\n,,,225.90\n")
    assert [problem.line for problem in caught.value.problems] == [5, 6]
    assert len(parse("f.csv", (HEAD + ROWS + ",,,9.99\n").encode(), skip_bad_rows=True).rows) == 3


def test_many_such_lines_take_no_longer_than_rows() -> None:
    started = time.process_time()
    with pytest.raises(Refused) as caught:
        read("Date,Description,Amount\n" + "2025-03-13,A,-10.00\n,,-7.00\n" * 5000)
    assert len(caught.value.problems) == 5000 and time.process_time() - started < 20
