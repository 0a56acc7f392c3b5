from decimal import Decimal

import pytest
from ledger.templatetags.money import money, money_class


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("-45.2000", "-45.20"),
        ("2500", "+2,500.00"),
        ("0.0000", "0.00"),
        ("-0.00", "0.00"),
        ("1.2345", "+1.2345"),
        ("1.2300", "+1.23"),
        ("1E+3", "+1,000.00"),
        ("-9999999999999999.9999", "-9,999,999,999,999,999.9999"),
    ],
)
def test_amounts_are_shown_with_sign_and_without_rounding(amount: str, shown: str) -> None:
    assert money(Decimal(amount)) == shown


def test_the_colour_follows_the_sign() -> None:
    assert [money_class(Decimal(n)) for n in (1, -1, 0)] == ["in", "out", ""]
