"""The tools a person can run, and every run with its result or error."""

import logging
import time
from collections.abc import Mapping

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import models

from tools import calling

log = logging.getLogger(__name__)


def check_function(path: str) -> None:
    try:
        calling.function(path)
    except (calling.NotAllowed, ImportError) as error:
        raise ValidationError(str(error)) from None


class Tool(models.Model):
    name = models.CharField(max_length=100, unique=True)
    description = models.TextField(blank=True, default="")
    function = models.CharField(
        max_length=200,
        validators=[check_function],
        help_text="Full path; only what settings.TOOL_FUNCTIONS lists can run, such as tools.search_tool.search_web.",
    )

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def run(self, texts: Mapping[str, str], user: User | None = None) -> "ToolRun":
        """Never raises for a failure of the tool: the run records it."""
        started, result, error = time.monotonic(), None, ""
        try:
            result = calling.call(self.function, texts)
        except Exception as failure:  # a tool may fail in any way; the person is shown how
            log.warning("tool %s failed: %s", self.name, type(failure).__name__)
            error = f"{type(failure).__name__}: {failure}"
        milliseconds = round((time.monotonic() - started) * 1000)
        return ToolRun.objects.create(
            tool=self,
            arguments=dict(texts),
            result=result,
            error=error.replace("\x00", ""),
            milliseconds=milliseconds,
            run_by=user,
        )


class ToolRun(models.Model):
    tool = models.ForeignKey(Tool, on_delete=models.CASCADE, related_name="runs")
    arguments = models.JSONField(default=dict)
    result = models.JSONField(null=True)
    error = models.TextField(blank=True, default="")
    milliseconds = models.PositiveIntegerField()
    run_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    ran_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-ran_at", "-id")

    def __str__(self) -> str:
        return f"{self.tool}, {self.ran_at:%Y-%m-%d %H:%M:%S}: {'failed' if self.error else 'done'}"
