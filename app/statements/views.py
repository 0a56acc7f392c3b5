"""Upload a statement, answer what it leaves open, see what was uploaded, get the bank's file back."""

from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from ledger.models import Account
from ledger.templatetags.money import money
from statements.asking import Asked, Question
from statements.forms import QuestionsForm, UploadForm
from statements.importing import Outcome, Refused, import_file
from statements.models import PendingUpload, StatementImport

SHOWN_PROBLEMS = 20
SHOWN_IMPORTS = 20
SHOWN_NOTES = 5
PENDING_FOR = timedelta(days=1)


@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: HttpRequest) -> HttpResponse:
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method != "POST" or not form.is_valid():
        return _page(request, form)
    file = form.cleaned_data["file"]
    PendingUpload.objects.filter(created_at__lt=timezone.now() - PENDING_FOR).delete()
    pending, _ = PendingUpload.objects.update_or_create(
        user=_user(request),
        defaults={
            "account": form.cleaned_data["account"],
            "filename": file.name,
            "content": file.read(),
            "answers": {},
            "created_at": timezone.now(),
        },
    )
    return _import(request, pending)


@require_http_methods(["GET", "HEAD", "POST"])
def answer(request: HttpRequest) -> HttpResponse:
    """The questions of the file that waits. The address stays good: a page loaded again asks the same."""
    pending = PendingUpload.objects.filter(user=_user(request)).select_related("account").first()
    if pending is None:
        messages.info(request, "No file is waiting for an answer.")
        return redirect("upload")
    if "discard" in request.POST:
        pending.delete()
        messages.info(request, f"{pending.filename}: nothing was imported.")
        return redirect("upload")
    if "skip_bad_rows" in request.POST:
        return _import(request, pending, skip_bad_rows=True)
    questions = _questions(pending)
    form = QuestionsForm(questions, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        pending.answers = {**pending.answers, **form.cleaned_data}
        pending.save(update_fields=["answers"])
        return _import(request, pending)
    return render(request, "statements/answer.html", {"form": form, "pending": pending})


@require_safe
def original(request: HttpRequest, pk: int) -> HttpResponse:
    """The file as the bank wrote it; always a download, whatever is in it."""
    kept = get_object_or_404(StatementImport, pk=pk)
    response = HttpResponse(bytes(kept.content), content_type="application/octet-stream")
    response.headers["Content-Disposition"] = f'attachment; filename="statement-{kept.pk}.csv"'
    return response


def _user(request: HttpRequest) -> User:
    """Every page but a few needs a sign-in: see LoginRequiredMiddleware."""
    if not isinstance(request.user, User):
        raise TypeError("nobody is signed in")
    return request.user


def _page(request: HttpRequest, form: UploadForm, refused: Refused | None = None) -> HttpResponse:
    context = {
        "form": form,
        "problems": [problem.at(refused.filename) for problem in refused.problems[:SHOWN_PROBLEMS]] if refused else [],
        "more_problems": max(0, len(refused.problems) - SHOWN_PROBLEMS) if refused else 0,
        "good_rows": refused.good_rows if refused else 0,
        "imports": StatementImport.objects.defer("content")
        .select_related("account")
        .annotate(added=Count("transactions"))
        .order_by("-imported_at", "-id")[:SHOWN_IMPORTS],  # said here: a grouped query leaves out the model's own order
        "has_accounts": Account.objects.exists(),
    }
    return render(request, "statements/upload.html", context, status=422 if refused else 200)


def _questions(pending: PendingUpload) -> tuple[Question, ...]:
    """What is still open. A file that has become unreadable says so when it is imported."""
    try:
        import_file(
            pending.filename, bytes(pending.content), pending.account.name, answers=pending.answers, dry_run=True
        )
    except Asked as asked:
        return asked.questions
    except Refused:
        return ()
    return ()


def _import(request: HttpRequest, pending: PendingUpload, *, skip_bad_rows: bool = False) -> HttpResponse:
    try:
        outcome = import_file(
            pending.filename,
            bytes(pending.content),
            pending.account.name,
            answers=pending.answers,
            skip_bad_rows=skip_bad_rows,
            user=_user(request),
        )
    except Asked:
        return redirect("answer")
    except Refused as refused:
        if not refused.good_rows:  # else it is kept for the button that imports the good ones
            pending.delete()
        return _page(request, UploadForm(), refused)
    pending.delete()
    _say(request, outcome)
    return redirect("upload")


def _say(request: HttpRequest, outcome: Outcome) -> None:
    added, name = len(outcome.added), outcome.filename
    if outcome.statement.rows:
        total = money(outcome.added_total)
        text = f"{name}: {added} added, {outcome.already_there} already there. Sum added: {total}"
        messages.success(request, text)
    else:
        messages.info(request, f"{name}: 0 transactions, nothing was saved.")
    for note in outcome.statement.notes[:SHOWN_NOTES]:
        messages.warning(request, f"{name}: {note}")
