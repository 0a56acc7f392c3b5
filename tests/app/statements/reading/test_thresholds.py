"""Each threshold that decides about a statement, tried on its two sides: one row, day or letter more or less."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import pytest
from statements.importing import Refused, parse
from statements.reading import charsets, evidence, movement, owners, sections
from statements.reading.asking import Asked
from statements.reading.evidence import Entry, Hints
from statements.reading.parsing import Statement

HEAD = "Date,Description,Amount\n"
NOWHERE = Hints(american=False, decimal_comma=False, currency="", foreign=False)
DAY = date(2025, 3, 13)


def seen(*amounts: float, words: Sequence[str] = (), balances: Sequence[float] = ()) -> list[Entry]:
    """A row each, a day apart, in the order of time."""
    return [
        Entry(
            DAY + timedelta(at),
            Decimal(str(amount)),
            False,
            Decimal(str(balances[at])) if at < len(balances) else None,
            words[at] if at < len(words) else "",
        )
        for at, amount in enumerate(amounts)
    ]


def sign(*amounts: float, words: Sequence[str] = (), balances: Sequence[float] = (), card: bool = False) -> str:
    return evidence.sign(seen(*amounts, words=words, balances=balances), card=card).decided


def read(content: str, **answers: str) -> Statement:
    return parse("f.csv", content.encode(), answers)


def keys(content: str, **answers: str) -> list[str]:
    try:
        read(content, **answers)
    except Asked as asked:
        return [question.key for question in asked.questions]
    return []


class TestSigns:
    def test_half_of_the_amounts_without_a_minus_are_money_in_and_one_more_is_asked_about(self) -> None:
        assert sign(-1, -2, 3, 4) == sign(-1, 2) == "as_is"
        assert sign(-1, 2, 3) == sign(-1, -2, 3, 4, 5) == sign(1) == ""

    def test_an_amount_below_one_has_a_sign_too(self) -> None:
        assert sign(-0.5, -0.5, 3) == "as_is" and sign(0.5, 0.5, -3) == ""

    @pytest.mark.parametrize(("right", "wrong", "refused"), [(8, 2, True), (7, 3, False), (3, 1, False)])
    def test_eight_steps_of_ten_are_enough_and_three_of_four_are_not(
        self, right: int, wrong: int, refused: bool
    ) -> None:
        steps = [1, *([1, -1] * right)[:right], *([7] * wrong)]
        balances = [sum(steps[: at + 1]) + 100 for at in range(len(steps))]
        assert evidence.goes_both_ways(seen(*([1] * len(steps)), balances=balances)) is refused

    def test_one_contradicting_text_of_four_is_not_heard_and_one_of_three_is(self) -> None:
        four = ("payroll", "payroll", "payroll", "payroll")
        assert sign(5, 5, 5, -5, -1, -1, -1, words=four) == "as_is"
        assert sign(5, 5, -5, -1, -1, words=four[:3]) == ""

    def test_a_card_s_header_asks_even_where_most_is_negative(self) -> None:
        assert sign(-1, -2, -3) == "as_is" and sign(-1, -2, -3, card=True) == ""

    def test_the_more_frequent_suggestion_comes_first(self) -> None:
        out, into = "purchase", "payroll"
        assert evidence.sign(seen(1, 2, 3, words=(out, out, into)), card=False).likely == "flipped"
        assert evidence.sign(seen(1, 2, 3, words=(out, into, into)), card=False).likely == "as_is"
        assert evidence.sign(seen(1, 2, words=(out, into)), card=False).likely == "as_is"
        assert evidence.sign(seen(1, 2, words=(out, into)), card=True).likely == "flipped"

    def test_a_balance_is_heard_if_it_moves_by_more_than_half_of_the_amounts(self) -> None:
        assert evidence.by_balance(seen(-1, -2, -3, -4, balances=(9, 7, 4, 4))) == "as_is"  # 2 of 3
        assert evidence.by_balance(seen(-1, -2, -3, -4, -5, balances=(9, 7, 4, 4, 4))) == ""  # 2 of 4
        assert evidence.by_balance(seen(1, 2, 3, 4, balances=(9, 7, 4, 4))) == "flipped"

    def test_it_is_not_heard_if_the_other_sign_explains_a_third_as_many(self) -> None:
        moved = [-1.0, -2.0, -3.0, -4.0, 5.0]  # the last balance falls by 5
        assert evidence.by_balance(seen(*moved, balances=(20, 18, 15, 11, 6))) == ""  # 3 and 1
        assert evidence.by_balance(seen(*moved[:4], -6, 5, balances=(20, 18, 15, 11, 5, 0))) == "as_is"  # 4 and 1

    @pytest.mark.parametrize(("wrong", "refused"), [(1, True), (2, False)])
    def test_unsigned_amounts_whose_balance_goes_both_ways_are_refused_if_eight_of_ten_steps_fit(
        self, wrong: int, refused: bool
    ) -> None:
        steps = [1, -1, 1, 1, -1, *([7] * wrong)]  # 4 of 5 steps, or 4 of 6
        balances = [sum(steps[: at + 1]) + 100 for at in range(len(steps))]
        rows = seen(*([1] * len(steps)), balances=balances)
        assert evidence.goes_both_ways(rows) is refused

    @pytest.mark.parametrize(("odd", "asked"), [(1, []), (2, ["amount_sign"])])
    def test_one_row_in_ten_may_have_another_sign_than_its_direction_says(self, odd: int, asked: list[str]) -> None:
        rows = [f"2025-03-{at + 11},A,{'' if at < odd else '-'}1.00,debit\n" for at in range(9)]
        assert keys(f"Date,Name,Amount,Type\n{''.join(rows)}2025-03-21,B,5.00,credit\n") == asked
        rows = [f"2025-03-{at + 11},A,{'-' if at < odd else ''}1.00,debit\n" for at in range(9)]
        assert keys(f"Date,Name,Amount,Type\n{''.join(rows)}2025-03-21,B,-5.00,credit\n") == asked

    @pytest.mark.parametrize(("kinds", "direction"), [(8, True), (9, False)])
    def test_a_column_of_more_than_eight_kinds_says_no_direction(self, kinds: int, direction: bool) -> None:
        names = ["debit", "credit", *(f"kind {at}" for at in range(kinds - 2))]
        rows = "".join(f"2025-03-{at + 11},A{at},1.00,{name}\n" for at, name in enumerate(names))
        asked = keys("Date,Name,Amount,Type\n" + rows)
        assert asked == ([f"direction:kind {at}" for at in range(kinds - 2)] if direction else ["amount_sign"])

    def test_fees_are_decided_by_the_balances_that_they_explain(self) -> None:
        head = "Date,Description,Amount,Fee,Balance\n2025-03-13,A,-10.00,0.50,89.50\n"
        assert read(head + "2025-03-14,B,-5.00,0.10,84.40\n").total == Decimal("-15.60")
        assert read(head + "2025-03-14,B,-5.00,0.10,84.50\n").total == Decimal("-15.00")
        assert keys(head + "2025-03-14,B,-5.00,0.10,84.45\n") == ["fee"]


class TestDates:
    def order(self, *rows: Sequence[str], texts: Sequence[str] = ()) -> str:
        return evidence.date_order(rows, (), texts or ["TEA"] * len(rows), NOWHERE).decided

    @pytest.mark.parametrize(("day", "order"), [("12", ""), ("13", "dmy")])
    def test_a_day_beyond_twelve_decides(self, day: str, order: str) -> None:
        assert self.order([f"{day}/03/2025"], ["01/02/2025"]) == order

    @pytest.mark.parametrize(("second", "order"), [("03/18/2025", "mdy"), ("04/03/2025", "")])
    def test_two_dates_of_a_row_decide_if_one_order_makes_days_of_months(self, second: str, order: str) -> None:
        assert self.order(["03/04/2025", second]) == order

    @pytest.mark.parametrize(
        ("first", "second", "order"),
        [  # days apart as month first, and as day first
            ("01/02/2025", "01/03/2025", ""),  # 1, 28
            ("01/02/2025", "01/04/2025", "mdy"),  # 2, 59
            ("02/01/2025", "02/02/2025", ""),  # 1, 31
            ("07/01/2025", "07/02/2025", ""),  # 1, 31
            ("01/01/2025", "02/01/2025", ""),  # 31, 1
        ],
    )
    def test_the_gap_of_the_other_order_must_be_beyond_45_days(self, first: str, second: str, order: str) -> None:
        assert self.order([first, second]) == order

    @pytest.mark.parametrize(
        ("months", "texts", "order"),
        [
            ((1, 2, 5, 8), 4, "mdy"),
            ((1, 2, 5, 8), 3, ""),  # three texts: the same payee again and again
            ((1, 2, 5), 4, ""),  # three months
            ((1, 2, 3, 4), 4, ""),  # month after month
            ((1, 2, 3, 5), 4, "mdy"),
        ],
    )
    def test_rows_on_one_day_of_four_scattered_months_decide(
        self, months: Sequence[int], texts: int, order: str
    ) -> None:
        rows = [[f"03/{month:02}/2025"] for month in months]
        names = [f"SHOP {min(at, texts - 1)}" for at in range(len(rows))]
        names = names if len(rows) >= texts else [*names, *(f"MORE {at}" for at in range(texts - len(rows)))]
        assert self.order(*rows, texts=names) == order

    def test_an_order_that_scatters_the_rows_over_years_is_not_meant(self) -> None:
        assert self.order(["10.03.25"], ["11.03.25"], ["12.03.25"]) == "dmy"  # else 2010 to 2012: 731 days
        assert self.order(["10.03.25"], ["11.03.25"]) == ""  # else 366 days

    def test_two_places_that_are_half_of_all_suggest_an_order(self) -> None:
        def likely(texts: Sequence[str]) -> str:
            return evidence.date_order([["01/02/2025"]] * len(texts), (), texts, NOWHERE).likely

        assert likely(["A BOSTON MA", "B AUSTIN TX", "C", "D"]) == "mdy"
        assert likely(["A BOSTON MA", "B AUSTIN TX", "C", "D", "E"]) == likely(["A BOSTON MA"]) == ""


class TestLines:
    @pytest.mark.parametrize(("rows", "asked"), [(3, ["balance_rows"]), (2, [])])
    def test_a_sum_of_three_rows_at_the_end_is_asked_about_without_words(self, rows: int, asked: list[str]) -> None:
        content = "".join(f"2025-03-{at + 11},A{at},-{at + 1}.00\n" for at in range(rows))
        total = sum(range(1, rows + 1))
        assert keys(f"{HEAD}{content}2025-03-20,B,-{total}.00\n") == asked
        assert not keys(f"{HEAD}{content}2025-03-20,B,-{total}.01\n")
        assert not keys(f"{HEAD}{content}2025-03-20,A0,-{total}.00\n")  # a text of other rows
        assert not keys(f"{HEAD}2025-03-10,C,-0.50\n2025-03-20,B,-{total}.00\n{content}")  # not at an end

    @pytest.mark.parametrize(("words", "asked"), [(6, ["balance_rows"]), (7, [])])
    def test_a_longer_text_with_a_balance_in_it_is_a_purchase(self, words: int, asked: list[str]) -> None:
        text = " ".join(["KITCHEN"] * (words - 1) + ["balance"])
        assert keys(f"{HEAD}2025-03-13,{text},-1.00\n") == asked

    @pytest.mark.parametrize(("titles", "asked"), [(8, ["section"]), (9, [])])
    def test_more_titles_than_eight_are_separators(self, titles: int, asked: list[str]) -> None:
        assert titles - sections.MOST_TITLES in (0, 1)
        blocks = "".join(f"Part {'x' * at},,\n2025-03-13,A,-{at}.00\n" for at in range(1, titles + 1))
        assert keys(HEAD + blocks) == asked
        assert keys(HEAD + blocks.replace("Part x,", "Pending,")) == ["section"]

    @pytest.mark.parametrize(("length", "asked"), [(100, ["section"]), (101, [])])
    def test_a_longer_line_is_no_title(self, length: int, asked: list[str]) -> None:
        assert keys(f"{HEAD}{'x' * length},,\n2025-03-13,A,-1.00\n") == asked

    def test_one_step_of_the_balance_is_proof_and_none_is_not(self) -> None:
        head = "Date,Description,Amount,Balance\n2025-03-13,A,-20.00,80.00\n2025-03-14,B,-55.00,80.00\n"
        assert len(read(head + "2025-03-15,C,-1.00,79.00\n").rows) == 2
        assert len(read(head).rows) == 2
        assert len(read(head + "2025-03-15,C,-1.00,78.00\n").rows) == 3  # which does not follow

    def test_half_of_the_lines_of_a_file_without_a_header_must_be_rows(self) -> None:
        row = "2025-03-13,A,-1.00\n"
        assert len(read(row * 2 + "Thank you,,\n" * 2).rows) == 2
        with pytest.raises(Refused, match="not a statement"):
            read(row * 2 + "Thank you,,\n" * 3)


class TestNumbers:
    @pytest.mark.parametrize(("cell", "year"), [("31-12-69", 2069), ("31-12-70", 1970)])
    def test_two_digits_of_a_year_turn_over_at_seventy(self, cell: str, year: int) -> None:
        assert read(f"{HEAD}{cell},A,-1.00\n").rows[0].date.year == year

    @pytest.mark.parametrize(("year", "good"), [(1899, False), (1900, True), (2199, True), (2200, False)])
    def test_years_are_those_of_three_centuries(self, year: int, good: bool) -> None:
        rows = f"{HEAD}2025-03-13,A,-1.00\n13.03.{year},A,-1.00\n"
        if good:
            assert read(rows).rows[1].date.year == year
        else:
            with pytest.raises(Refused, match="unreadable date"):
                read(rows)

    @pytest.mark.parametrize(
        ("cell", "good"), [("1" * 16, True), ("1" * 17, False), ("1.1234", True), ("1.12345", False)]
    )
    def test_an_amount_has_sixteen_digits_and_four_places(self, cell: str, good: bool) -> None:
        content = f"{HEAD}2025-03-13,A,-{cell}\n2025-03-14,B,-1.50\n"
        if good:
            assert read(content).rows[0].amount == -Decimal(cell)
        else:
            with pytest.raises(Refused, match="more digits than the ledger keeps"):
                read(content)

    def test_three_places_of_a_currency_of_two_are_thousands_and_of_three_are_asked_about(self) -> None:
        assert read(f"{HEAD}2025-03-13,A,-€1.234\n").rows[0].amount == -1234
        assert keys(f"{HEAD}2025-03-13,A,-KWD 1.234\n") == ["decimal_mark"]


class TestOwners:
    @pytest.mark.parametrize(("accounts", "asked"), [(20, ["own_account"]), (21, [])])
    def test_nobody_has_more_than_twenty_accounts(self, accounts: int, asked: list[str]) -> None:
        assert accounts - owners.MOST in (0, 1)
        rows = [f"2025-03-13,N{at % accounts},T{at},-{at + 1}.00\n" for at in range(2 * accounts)]
        assert keys("Date,Account,Description,Amount\n" + "".join(rows)) == asked

    @pytest.mark.parametrize(("rows", "asked"), [(5, ["own_account"]), (6, [])])
    def test_another_account_in_each_of_six_rows_is_other_people_s(self, rows: int, asked: list[str]) -> None:
        lines = [f"2025-03-13,N{at},T{at},-{at + 1}.00\n" for at in range(rows)]
        assert keys("Date,Account,Description,Amount\n" + "".join(lines)) == asked


class TestEncodings:
    def offered(self, text: str, encoding: str) -> list[str]:
        return [one.encoding for one in charsets.readings(text.encode(encoding))]

    def test_a_letter_alone_is_doubted_up_to_three_times(self) -> None:
        assert self.offered("Køb Køp Køc Køm", "cp1252") == ["cp1252"]
        assert "cp1250" in self.offered("Køb Køp Køc", "cp1252")

    def test_three_letters_with_marks_in_a_row_are_no_western_word(self) -> None:
        assert self.offered("àèò", "cp1252")[-1] == "cp1252" and len(self.offered("аби", "cp1251")) > 1
        assert self.offered("çà càé", "cp1252") == ["cp1252"]

    @pytest.mark.parametrize("price", ["0.01 €", "12€", "£12.00", "¥5"])
    def test_a_currency_s_sign_beside_figures_asks_nothing_about_letters(self, price: str) -> None:
        assert self.offered(price, "cp1252") == ["cp1252"]

    def test_a_letter_in_the_same_byte_is_still_asked_about(self) -> None:
        assert "cp1251" in self.offered("Ђорђе", "cp1251")
        assert "cp1250" in self.offered("5 € Żółw", "cp1250")


def test_a_step_counts_the_fee_on_either_side() -> None:
    step = movement.Step(1, frozenset({Decimal(10)}), Decimal(90))
    assert movement._walk([step, movement.Step(2, frozenset({Decimal(5)}), Decimal(85))]) == movement.Moves({2}, set())
    assert movement._walk([step, movement.Step(2, frozenset({Decimal(5)}), Decimal(86))]) is None
    assert movement._walk([step]) is None
