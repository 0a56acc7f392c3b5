"""How amounts look: always a sign, groups of three, at least two places, never a rounded digit."""

from decimal import Decimal

from django import template

register = template.Library()


@register.filter
def money(amount: Decimal) -> str:
    number = amount.normalize() if amount else Decimal(0)  # no "-0.00"
    places = max(2, -int(number.as_tuple().exponent))
    return f"{number:+,.{places}f}" if number else f"{number:,.2f}"


@register.filter
def money_class(amount: Decimal) -> str:
    if amount == 0:
        return ""
    return "in" if amount > 0 else "out"
