"""Finding transactions: from what a person typed to a queryset and its totals.

A module of its own because the list page and the JSON search share it.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

from django.db.models import Count, Q, QuerySet, Sum

from ledger.models import AMOUNT_DIGITS, AMOUNT_PLACES, Account, Category, Transaction


@dataclass(frozen=True)
class Filters:
    q: str = ""
    account: Account | None = None
    category: Category | None = None
    uncategorised: bool = False
    date_from: date | None = None
    date_to: date | None = None
    amount: Decimal | None = None


@dataclass(frozen=True)
class Total:
    currency: str
    count: int
    money_in: Decimal
    money_out: Decimal

    @property
    def net(self) -> Decimal:
        return self.money_in + self.money_out


def find(filters: Filters) -> QuerySet[Transaction]:
    lookups: dict[str, object] = {
        "account": filters.account,
        "category": filters.category,
        "date__gte": filters.date_from,
        "date__lte": filters.date_to,
    }
    matches = Transaction.objects.select_related("account", "category")
    matches = matches.filter(**{lookup: choice for lookup, choice in lookups.items() if choice})
    for word in filters.q.split():
        matches = matches.filter(_matches(word))
    if filters.uncategorised:
        matches = matches.filter(category=None)
    if filters.amount is not None:
        matches = matches.filter(_same_amount(filters.amount))
    return matches


def totals(matches: QuerySet[Transaction]) -> list[Total]:
    """One line per currency: sums over different currencies mean nothing."""
    lines = (
        matches.order_by()
        .values("account__currency")
        .annotate(
            count=Count("id"),
            money_in=Sum("amount", filter=Q(amount__gt=0), default=Decimal(0)),
            money_out=Sum("amount", filter=Q(amount__lt=0), default=Decimal(0)),
        )
        .order_by("account__currency")
    )
    return [Total(line["account__currency"], line["count"], line["money_in"], line["money_out"]) for line in lines]


def typed_amount(word: str) -> Decimal | None:
    """The number a person typed, or None. Only numbers that fit the column: `1e99` and `NaN` are words."""
    try:
        number = Decimal(word.replace(",", ""))
    except InvalidOperation:
        return None
    fits = number.is_finite() and abs(number) < 10 ** (AMOUNT_DIGITS - AMOUNT_PLACES)
    return number if fits and round(number, AMOUNT_PLACES) == number else None


def _matches(word: str) -> Q:
    text = Q(description__icontains=word) | Q(check_number__iexact=word)
    text |= Q(account__name__icontains=word) | Q(category__name__icontains=word)
    number = typed_amount(word)
    return text if number is None else text | _same_amount(number)


def _same_amount(number: Decimal) -> Q:
    """A sign, if typed, counts as minus only: people search 45.20 for money that they spent."""
    return Q(amount=number) if number < 0 else Q(amount=number) | Q(amount=-number)
