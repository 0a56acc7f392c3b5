"""Reading Wells Fargo's file: every row exactly, or an error that names line and value."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from conftest import BANK_FILE
from statements.importing import Refused, parse
from statements.reading import parsing
from statements.reading.parsing import Unreadable


def line(day: str = "03/01/2025", amount: str = "-1.00", star: str = "*", check: str = "", text: str = "TEA") -> bytes:
    return f'"{day}","{amount}","{star}","{check}","{text}"\n'.encode()


def problems(content: bytes) -> list[str]:
    with pytest.raises(Refused) as caught:
        parse("f.csv", content)
    return [problem.at("f.csv") for problem in caught.value.problems]


def test_it_reads_every_row_with_its_line_and_its_own_cells() -> None:
    found = parse("f.csv", BANK_FILE)
    assert (found.source, len(found.rows), found.total) == ("wellsfargo_bank_csv", 5, Decimal("2326.60"))
    last = found.rows[-1]
    assert (last.line, last.date, last.amount, last.check_number) == (5, date(2025, 3, 5), Decimal("-120.00"), "1042")
    assert last.cells == ("03/05/2025", "-120.00", "*", "1042", "CHECK 1042")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("-45.20", "-45.20"),
        ("2500.00", "2500"),
        ("+1", "1"),
        ("1,234,567.89", "1234567.89"),
        ("$5", "5"),
        ("-$1,000.50", "-1000.50"),
        ("(45.20)", "-45.20"),
        ("($1,045.20)", "-1045.20"),
        (".99", "0.99"),
        (" 7 ", "7"),
        ("0.00", "0"),
        ("-0", "0"),
        ("9999999999999999.9999", "9999999999999999.9999"),
        ("000000000000000000012.5", "12.5"),
    ],
)
def test_it_reads_an_amount_exactly(written: str, value: str) -> None:
    assert parsing.amount(written) == Decimal(value)
    assert not parsing.amount(written).is_signed() or parsing.amount(written) < 0


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "-",
        "$",
        ".",
        "abc",
        "12.3.4",
        "1,23",
        "1,2345",
        ",123",
        "12,",
        "1.",
        "1e5",
        "NaN",
        "Infinity",
        "--5",
        "+-5",
        "(-5)",
        "(5",
        "5)",
        "()",
        "5-",
        "1 000",
        "1.23456",
        "12345678901234567",
        "1_000",
        "٣",
        "5 CR",
        "0x10",
        "1.234,56",
        "\u22125",
    ],
)  # fmt: skip  one value per line would fill a page
def test_it_never_guesses_an_amount(written: str) -> None:
    with pytest.raises(Unreadable, match="amount"):
        parsing.amount(written)


def test_an_unreadable_amount_names_file_line_and_value_and_stops_the_whole_file() -> None:
    assert problems(line() + line(amount="12.3.4") + line()) == ["f.csv:2: unreadable amount '12.3.4'"]


def test_every_problem_is_named_not_only_the_first() -> None:
    content = line() * 5 + line(amount="x") + line(day="13/45/2025") + line(text=" ") + line(star="+")
    assert [text.split(":")[1] for text in problems(content)] == ["6", "7", "8", "9"]


@pytest.mark.parametrize("day", ["2025-03-01", "02/30/2025", "13/01/2025", "3/1/25", "", "00/01/2025", "01/01/0000"])
def test_it_refuses_a_date_that_is_none(day: str) -> None:
    assert "unreadable date" in problems(line() + line(day=day) + line())[0]


def test_it_reads_a_leap_day() -> None:
    assert parse("f.csv", line(day="2/29/2024")).rows[0].date == date(2024, 2, 29)


@pytest.mark.parametrize("columns", [4, 6])
def test_a_row_with_other_columns_is_a_problem_of_that_row(columns: int) -> None:
    odd = b",".join([b"x"] * columns) + b"\n"
    assert problems(line() + odd + line()) == [f"f.csv:2: {columns} columns instead of 5"]


def test_blank_lines_and_a_byte_order_mark_are_no_rows() -> None:
    assert len(parse("f.csv", b"\xef\xbb\xbf" + line() + b"\n\r\n" + line() + b"\n").rows) == 2


def test_a_description_over_two_lines_is_one_row_and_the_next_line_counts_right() -> None:
    content = line(text="A\nB") + line(amount="x") + line()
    assert problems(content) == ["f.csv:3: unreadable amount 'x'"]


def test_a_quoted_comma_and_quote_stay_in_the_description() -> None:
    assert parse("f.csv", line(text='TEA, ""GREEN""')).rows[0].description == 'TEA, "GREEN"'


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (b"entry1,entry2,entry3\n", "not a statement we know"),
        (b"Date,Amount,*,Check,Description\n", "f.csv:1: unreadable date 'Date'"),
        (line() * 2 + b"caf\xe9\n", "f.csv:3: 1 columns instead of 5"),
        (line() + b"a\x00b\n", "f.csv:2: a NUL byte"),
        (line() + b'"open\n', "f.csv:2: broken CSV"),
        (b"\xef\xbb\xbf", "the file holds no rows"),
        (b",,,\n", "holds no rows"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF files are not read yet"),
    ],
)
def test_it_refuses_what_is_no_such_statement(content: bytes, says: str) -> None:
    assert says in problems(content)[0]


def test_a_header_without_rows_is_a_statement_of_nothing() -> None:
    found = parse("f.csv", b"date,amount\n")
    assert (found.rows, found.notes) == ((), ("the file holds a header and no transactions",))


def test_a_text_too_long_for_the_column_is_refused_and_the_longest_is_kept() -> None:
    assert parse("f.csv", line(text="x" * 1000)).rows[0].description == "x" * 1000
    assert "1001 characters" in problems(line(text="x" * 1001))[0]


def test_a_very_long_value_is_shown_shortened() -> None:
    assert len(problems(line() + line(amount="9" * 5000))[0]) < 200
