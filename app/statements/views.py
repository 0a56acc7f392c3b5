"""Upload a statement, answer its questions, see its import, download the bank's file."""

from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ledger.models import Account
from ledger.templatetags.money import money
from statements import undoing
from statements.forms import QuestionsForm, UploadForm
from statements.importing import Outcome, Refused, import_file
from statements.models import PendingUpload, RememberedAnswers, StatementImport
from statements.reading.asking import Asked, Question
from statements.reading.parsing import LeftOut

SHOWN_PROBLEMS = 20
SHOWN_IMPORTS = 20
SHOWN_NOTES = 5


@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: HttpRequest) -> HttpResponse:
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method != "POST" or not form.is_valid():
        return _page(request, form)
    file, account = form.cleaned_data["file"], form.cleaned_data["account"]
    waiting = PendingUpload.objects.filter(user=_user(request))
    PendingUpload.objects.filter(created_at__lt=timezone.now() - PendingUpload.KEPT_FOR).delete()
    waiting.filter(pk__in=list(waiting.values_list("pk", flat=True)[PendingUpload.MOST - 1 :])).delete()
    content = file.read()
    pending = PendingUpload.objects.create(user=_user(request), account=account, filename=file.name, content=content)
    return _import(request, pending)


@require_http_methods(["GET", "HEAD", "POST"])
def answer(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """The questions of one file that waits. The address stays good: a page loaded again asks the same.

    An answer names its file, so that one given in another tab is never taken for this one.
    """
    waiting = PendingUpload.objects.filter(user=_user(request)).select_related("account")
    pending = waiting.filter(pk=pk).first() if pk is not None else waiting.first()
    if pending is None:
        messages.info(request, "No file is waiting for an answer." if pk is None else "That file waits no longer.")
        return redirect("upload")
    if pk is None and request.method == "POST" and waiting.count() > 1:
        messages.warning(request, "Several files wait. Choose the one to answer for; nothing was imported.")
        return redirect("upload")
    if "discard" in request.POST:
        pending.delete()
        messages.info(request, f"{pending.filename}: nothing was imported.")
        return redirect("upload")
    if "skip_bad_rows" in request.POST:
        return _import(request, pending, skip_bad_rows=True)
    questions, left_out = _questions(pending)
    form = QuestionsForm(questions, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        pending.answers = {**pending.answers, **form.cleaned_data}
        pending.save(update_fields=["answers"])
        return _import(request, pending)
    return render(request, "statements/answer.html", {"form": form, "pending": pending, "left_out": left_out})


@require_POST
def forget(request: HttpRequest, pk: int) -> HttpResponse:
    """The next file of that kind is asked about again."""
    memory = get_object_or_404(RememberedAnswers, pk=pk)
    memory.delete()
    messages.success(request, f"The answers for {memory.account} are forgotten; its next file is asked about again.")
    return redirect("upload")


@require_safe
def imported(request: HttpRequest, pk: int) -> HttpResponse:
    """One import: its answers, and each line that is no transaction."""
    record = get_object_or_404(StatementImport.objects.defer("content").select_related("account"), pk=pk)
    left_out = [LeftOut(**line) for line in record.left_out or ()]
    context = {"record": record, "left_out": left_out, "plan": undoing.plan(record)}
    return render(request, "statements/import.html", context)


@require_POST
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    record = get_object_or_404(StatementImport.objects.defer("content").select_related("account"), pk=pk)
    undone = undoing.undo(record)
    stayed = f"; {len(undone.staying)} that were edited stay" if undone.staying else ""
    messages.success(request, f"{record.filename}: {len(undone.going)} rows of {record.account} undone{stayed}.")
    return redirect("import", record.pk)


@require_safe
def original(request: HttpRequest, pk: int) -> HttpResponse:
    """The file as the bank wrote it; always a download, whatever is in it."""
    record = get_object_or_404(StatementImport, pk=pk)
    response = HttpResponse(bytes(record.content), content_type="application/octet-stream")
    response.headers["Content-Disposition"] = f'attachment; filename="statement-{record.pk}.csv"'
    return response


def _user(request: HttpRequest) -> User:
    """Every page but a few needs a sign-in: see LoginRequiredMiddleware."""
    if not isinstance(request.user, User):
        raise TypeError("nobody is signed in")
    return request.user


def _page(
    request: HttpRequest, form: UploadForm, refused: Refused | None = None, pending: PendingUpload | None = None
) -> HttpResponse:
    context = {
        "form": form,
        "pending": pending,
        "problems": [problem.at(refused.filename) for problem in refused.problems[:SHOWN_PROBLEMS]] if refused else [],
        "more_problems": max(0, len(refused.problems) - SHOWN_PROBLEMS) if refused else 0,
        "good_rows": refused.good_rows if refused else 0,
        "imports": StatementImport.objects.defer("content")
        .select_related("account")
        .annotate(added=Count("transactions", filter=Q(transactions__undone_at=None)))
        .order_by("-imported_at", "-id")[:SHOWN_IMPORTS],  # said here: a grouped query leaves out the model's own order
        "has_accounts": Account.objects.exists(),
        "waiting": PendingUpload.objects.filter(user=_user(request)).defer("content").select_related("account"),
        "remembered": RememberedAnswers.objects.select_related("account").order_by("account__name", "filename"),
    }
    return render(request, "statements/upload.html", context, status=422 if refused else 200)


def _questions(pending: PendingUpload) -> tuple[tuple[Question, ...], tuple[LeftOut, ...]]:
    """(the open questions, the lines left out so far). A file that has become unreadable says so when imported."""
    try:
        outcome = import_file(
            pending.filename, bytes(pending.content), pending.account.name, answers=pending.answers, dry_run=True
        )
    except Asked as asked:
        return asked.questions, asked.left_out
    except Refused:
        return (), ()
    return (), outcome.statement.left_out


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
        return redirect("answer-file", pending.pk)
    except Refused as refused:
        if refused.good_rows:  # it is kept for the button that imports the good ones
            return _page(request, UploadForm(), refused, pending)
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
