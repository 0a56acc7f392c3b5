"""Upload a statement, see what was uploaded, get the bank's file back."""

from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from ledger.models import Account
from ledger.templatetags.money import money
from statements.forms import UploadForm
from statements.importing import Refused, import_file
from statements.models import StatementImport

SHOWN_PROBLEMS = 20
SHOWN_IMPORTS = 20


@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: HttpRequest) -> HttpResponse:
    form = UploadForm(request.POST or None, request.FILES or None)
    refused: Refused | None = None
    if request.method == "POST" and form.is_valid():
        try:
            _import(request, form)
            return redirect("upload")
        except Refused as refusal:
            refused = refusal
    context = {
        "form": form,
        "problems": [problem.at(refused.filename) for problem in refused.problems[:SHOWN_PROBLEMS]] if refused else [],
        "more_problems": max(0, len(refused.problems) - SHOWN_PROBLEMS) if refused else 0,
        "imports": StatementImport.objects.defer("content")
        .select_related("account")
        .annotate(added=Count("transactions"))
        .order_by("-imported_at", "-id")[:SHOWN_IMPORTS],  # said here: a grouped query leaves out the model's own order
        "has_accounts": Account.objects.exists(),
    }
    return render(request, "statements/upload.html", context, status=422 if refused else 200)


@require_safe
def original(request: HttpRequest, pk: int) -> HttpResponse:
    """The file as the bank wrote it; always a download, whatever is in it."""
    kept = get_object_or_404(StatementImport, pk=pk)
    response = HttpResponse(bytes(kept.content), content_type="application/octet-stream")
    response.headers["Content-Disposition"] = f'attachment; filename="statement-{kept.pk}.csv"'
    return response


def _import(request: HttpRequest, form: UploadForm) -> None:
    file = form.cleaned_data["file"]
    user = request.user if isinstance(request.user, User) else None
    outcome = import_file(file.name, file.read(), form.cleaned_data["account"].name, user=user)
    added, total = len(outcome.added), money(outcome.added_total)
    text = f"{file.name}: {added} added, {outcome.already_there} already there. Sum added: {total}"
    messages.success(request, text)
