"""Accounts, categories, transactions. Money out is negative, money in is positive, everywhere."""

from typing import Any

from django.core.validators import RegexValidator
from django.db import models
from django.urls import reverse

from ledger.fingerprint import fingerprint

# Sixteen digits before the point and four after it: every ISO currency fits exactly.
AMOUNT_DIGITS, AMOUNT_PLACES = 20, 4
MANUAL = "manual"


class Account(models.Model):
    name = models.CharField(max_length=100, unique=True)
    currency = models.CharField(
        max_length=3, default="USD", validators=[RegexValidator(r"^[A-Z]{3}$", "Three capital letters, such as USD.")]
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Category(models.Model):
    name = models.CharField(max_length=100, unique=True)

    class Meta:
        ordering = ("name",)
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name


class KeptTransactions(models.Manager["Transaction"]):
    """Those that count. Rows of an import that was undone stay in the table, so that nothing is lost for good."""

    def get_queryset(self) -> models.QuerySet["Transaction"]:
        return super().get_queryset().filter(undone_at=None)


class Transaction(models.Model):
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="transactions")
    date = models.DateField()
    amount = models.DecimalField(
        max_digits=AMOUNT_DIGITS, decimal_places=AMOUNT_PLACES, help_text="Money out is negative, money in positive."
    )
    description = models.CharField(max_length=1000)
    check_number = models.CharField(max_length=50, blank=True, default="")
    category = models.ForeignKey(Category, on_delete=models.PROTECT, null=True, blank=True, related_name="transactions")
    source = models.CharField(max_length=50, default=MANUAL, help_text="Where the row came from.")
    original_row = models.JSONField(null=True, blank=True, help_text="The bank's cells, untouched.")
    statement = models.ForeignKey(
        "statements.StatementImport", on_delete=models.PROTECT, null=True, blank=True, related_name="transactions"
    )
    statement_line = models.PositiveIntegerField(null=True, blank=True)
    fingerprint = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    undone_at = models.DateTimeField(null=True, blank=True, editable=False, help_text="When its import was undone.")

    objects = KeptTransactions()
    with_undone = models.Manager["Transaction"]()

    class Meta:
        ordering = ("-date", "-id")
        indexes = (
            models.Index(fields=["-date", "-id"], name="transaction_newest_first"),
            models.Index(fields=["account", "fingerprint"], name="transaction_same_row"),
        )

    def __str__(self) -> str:
        return f"{self.date} {self.amount:f} {self.description}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self.fingerprint:
            self.fingerprint = fingerprint(self.date, self.amount, self.check_number, self.description)
        super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        return reverse("transaction", args=[self.pk])


class WorkerHeartbeat(models.Model):
    """One row per stack: the newest task that a worker really ran, and how many there were."""

    name = models.CharField(max_length=50, unique=True)
    beats = models.PositiveBigIntegerField(default=0)
    ran_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.beats}, last {self.ran_at:%Y-%m-%d %H:%M:%S}"
