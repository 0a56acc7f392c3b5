"""Pages of the ledger."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from ledger.forms import AccountForm, CategoryForm, SearchForm, TransactionForm
from ledger.models import Account, Transaction
from ledger.search import Filters, find, totals

PAGE_SIZE = 50


@require_safe
def transactions(request: HttpRequest) -> HttpResponse:
    form = SearchForm(request.GET)
    matches = find(form.filters()) if form.is_valid() else find(Filters()).none()
    query = request.GET.copy()
    query.pop("page", None)
    context = {
        "form": form,
        "page": Paginator(matches, PAGE_SIZE).get_page(request.GET.get("page")),
        "totals": totals(matches),
        "query": query.urlencode(),
        "searching": any(query.values()),
        "has_accounts": Account.objects.exists(),
    }
    return render(request, "ledger/transactions.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def add_transaction(request: HttpRequest) -> HttpResponse:
    form = TransactionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        added = form.save()
        messages.success(request, f"Added: {added.description}")
        return redirect("transactions")
    return render(request, "ledger/add.html", {"form": form, "title": "Add a transaction", "name": "add-transaction"})


@require_http_methods(["GET", "HEAD", "POST"])
def add_account(request: HttpRequest) -> HttpResponse:
    form = AccountForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        messages.success(request, f"Account added: {form.save().name}")
        return redirect("transactions")
    return render(request, "ledger/add.html", {"form": form, "title": "Add an account", "name": "add-account"})


@require_http_methods(["GET", "HEAD", "POST"])
def transaction(request: HttpRequest, pk: int) -> HttpResponse:
    """One transaction with the bank's own row; its category can be changed."""
    entry = get_object_or_404(Transaction.objects.select_related("account", "category", "statement"), pk=pk)
    form = CategoryForm(request.POST or None, instance=entry)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Category saved")
        return redirect(entry)
    return render(request, "ledger/transaction.html", {"transaction": entry, "form": form})
