from django.contrib import admin

from ledger.models import Account, Category, Transaction, WorkerHeartbeat
from ledger.templatetags.money import money

admin.site.site_header = admin.site.site_title = "LedgerFlow"


@admin.register(Account)
class AccountAdmin(admin.ModelAdmin[Account]):
    list_display = ("name", "currency", "created_at")
    search_fields = ("name",)


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin[Category]):
    search_fields = ("name",)


@admin.register(Transaction)
class TransactionAdmin(admin.ModelAdmin[Transaction]):
    list_display = ("date", "shown_amount", "description", "account", "category", "source")
    list_filter = ("account", "category", "source")
    list_select_related = ("account", "category")
    search_fields = ("description", "check_number")
    date_hierarchy = "date"
    autocomplete_fields = ("account", "category")
    readonly_fields = ("source", "original_row", "statement", "statement_line", "created_at")

    @admin.display(description="amount", ordering="amount")
    def shown_amount(self, one: Transaction) -> str:
        return money(one.amount)


@admin.register(WorkerHeartbeat)
class WorkerHeartbeatAdmin(admin.ModelAdmin[WorkerHeartbeat]):
    list_display = ("name", "beats", "ran_at")
    readonly_fields = ("name", "beats", "ran_at")
