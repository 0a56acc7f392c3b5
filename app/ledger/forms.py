"""What people may type, and what becomes of it."""

from typing import Any, ClassVar

from django import forms

from ledger.models import AMOUNT_DIGITS, AMOUNT_PLACES, Account, Category, Transaction
from ledger.search import Filters

ANY_CATEGORY, NO_CATEGORY = "", "none"


def _date_input() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class SearchForm(forms.Form):
    q = forms.CharField(
        label="Search", required=False, max_length=200, widget=forms.TextInput(attrs={"type": "search"})
    )
    account = forms.ModelChoiceField(Account.objects.all(), required=False, empty_label="All accounts")
    category = forms.ChoiceField(required=False)
    date_from = forms.DateField(label="From", required=False, widget=_date_input())
    date_to = forms.DateField(label="To", required=False, widget=_date_input())
    amount = forms.DecimalField(
        required=False, max_digits=AMOUNT_DIGITS, decimal_places=AMOUNT_PLACES, widget=forms.TextInput()
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [(str(category.pk), category.name) for category in Category.objects.all()]
        field = self.fields["category"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  for the type checker
        field.choices = [(ANY_CATEGORY, "All categories"), (NO_CATEGORY, "Without category"), *names]

    def clean_q(self) -> str:
        return str(self.cleaned_data["q"]).replace("\x00", "")

    def filters(self) -> Filters:
        """Only for a valid form."""
        fields = dict(self.cleaned_data)
        choice = fields.pop("category")
        category = Category.objects.get(pk=choice) if choice not in (ANY_CATEGORY, NO_CATEGORY) else None
        return Filters(**fields, category=category, uncategorised=choice == NO_CATEGORY)


class TransactionForm(forms.ModelForm[Transaction]):
    category = forms.ModelChoiceField(Category.objects.all(), required=False, empty_label="No category")

    class Meta:
        model = Transaction
        fields = ("account", "date", "amount", "description", "check_number", "category")
        widgets: ClassVar[dict[str, forms.Widget]] = {
            "date": _date_input(),
            "amount": forms.TextInput(attrs={"inputmode": "decimal"}),
        }


class CategoryForm(forms.ModelForm[Transaction]):
    category = forms.ModelChoiceField(Category.objects.all(), required=False, empty_label="No category")

    class Meta:
        model = Transaction
        fields = ("category",)


class AccountForm(forms.ModelForm[Account]):
    class Meta:
        model = Account
        fields = ("name", "currency")
