from django.contrib import admin
from django.http import HttpRequest

from statements.models import RememberedAnswers, StatementImport


@admin.register(StatementImport)
class StatementImportAdmin(admin.ModelAdmin[StatementImport]):
    """For looking only: an import is a record of what happened."""

    list_display = ("filename", "account", "source", "row_count", "imported_at", "imported_by")
    list_filter = ("account", "source")
    search_fields = ("filename", "sha256")

    def get_exclude(self, request: HttpRequest, obj: StatementImport | None = None) -> list[str]:
        return ["content"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: StatementImport | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: StatementImport | None = None) -> bool:
        return False


@admin.register(RememberedAnswers)
class RememberedAnswersAdmin(admin.ModelAdmin[RememberedAnswers]):
    """Delete a row to be asked again."""

    list_display = ("account", "answers")
    list_filter = ("account",)
    readonly_fields = ("account", "layout", "answers")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
