"""Imports with the bank's file, byte by byte; uploads that wait for an answer; answers to use again."""

from datetime import timedelta

from django.conf import settings
from django.db import models

from ledger.models import Account


class StatementImport(models.Model):
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="statements")
    filename = models.CharField(max_length=255)
    content = models.BinaryField()
    sha256 = models.CharField(max_length=64)
    source = models.CharField(max_length=50)
    row_count = models.PositiveIntegerField(help_text="Rows in the file, those already in the ledger included.")
    imported_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    imported_at = models.DateTimeField(auto_now_add=True)
    # Null, as an older version that still runs beside this one writes neither.
    answers = models.JSONField(default=dict, null=True, blank=True, help_text="What was answered, now or before.")
    left_out = models.JSONField(default=list, null=True, blank=True, help_text="No rows: each line, why, text.")

    class Meta:
        ordering = ("-imported_at", "-id")
        constraints = (models.UniqueConstraint(fields=["account", "sha256"], name="statement_once_per_account"),)

    def __str__(self) -> str:
        return f"{self.filename} ({self.account})"


class PendingUpload(models.Model):
    """A file that waits for an answer, so that nobody has to choose it again; a day old at most.

    A person may have several, one in each tab: an answer names the file it is for.
    """

    KEPT_FOR = timedelta(days=1)
    MOST = 10  # per person; the oldest goes

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    filename = models.CharField(max_length=255)
    content = models.BinaryField()
    answers = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at", "-id")

    def __str__(self) -> str:
        return f"{self.filename} ({self.account})"


class RememberedAnswers(models.Model):
    """A person's answers for an account's files of one layout. `subjects` names the state or the text of a row that an
    answer is limited to. `filename` is the file of the last answer.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    layout = models.CharField(max_length=64)
    answers = models.JSONField(default=dict)
    subjects = models.JSONField(default=dict, null=True, blank=True)  # null as above
    filename = models.CharField(max_length=255, blank=True, default="", db_default="")

    class Meta:
        verbose_name_plural = "remembered answers"
        constraints = (models.UniqueConstraint(fields=["account", "layout"], name="answers_once_per_layout"),)

    def __str__(self) -> str:
        return f"{self.account}: {self.answers}"
