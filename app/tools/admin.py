"""The registry of tools; each has a page to run it from."""

import json

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from tools import calling
from tools.forms import RunForm
from tools.models import Tool, ToolRun


@admin.register(Tool)
class ToolAdmin(admin.ModelAdmin[Tool]):
    list_display = ("name", "description", "function", "run_link")
    search_fields = ("name", "description")

    def get_urls(self) -> list[URLPattern]:
        return [
            path("<int:pk>/run/", self.admin_site.admin_view(self.run), name="tools_tool_run"),
            *super().get_urls(),
        ]

    @admin.display(description="run")
    def run_link(self, tool: Tool) -> str:
        return format_html('<a href="{}">Run</a>', reverse("admin:tools_tool_run", args=[tool.pk]))

    def run(self, request: HttpRequest, pk: int) -> HttpResponse:
        tool = get_object_or_404(Tool, pk=pk)
        if not self.has_change_permission(request, tool):
            return HttpResponse("You may not run tools.", status=403)
        try:
            form = RunForm(calling.arguments(tool.function), request.POST if request.method == "POST" else None)
        except (calling.NotAllowed, ImportError) as error:
            messages.error(request, str(error))
            return redirect("admin:tools_tool_change", tool.pk)
        if request.method == "POST" and form.is_valid():
            user = request.user if isinstance(request.user, User) else None
            run = tool.run({name: text for name, text in form.cleaned_data.items() if text}, user)
            return redirect("admin:tools_toolrun_change", run.pk)
        context = {**self.admin_site.each_context(request), "title": f"Run {tool}", "tool": tool, "form": form}
        return TemplateResponse(request, "admin/tools/run.html", {**context, "opts": Tool._meta})


@admin.register(ToolRun)
class ToolRunAdmin(admin.ModelAdmin[ToolRun]):
    """For looking only: a run is a record of what happened."""

    list_display = ("ran_at", "tool", "outcome", "milliseconds", "run_by")
    list_filter = ("tool",)
    list_select_related = ("tool", "run_by")
    fields = ("tool", "ran_at", "run_by", "milliseconds", "arguments", "shown_error", "shown_result")
    readonly_fields = fields

    @admin.display(description="outcome")
    def outcome(self, run: ToolRun) -> str:
        return run.error.splitlines()[0] if run.error else "done"

    @admin.display(description="error")
    def shown_error(self, run: ToolRun) -> str:
        return format_html("<pre>{}</pre>", run.error) if run.error else "none"

    @admin.display(description="result")
    def shown_result(self, run: ToolRun) -> str:
        return format_html("<pre>{}</pre>", json.dumps(run.result, indent=2, ensure_ascii=False))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: ToolRun | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ToolRun | None = None) -> bool:
        return False
