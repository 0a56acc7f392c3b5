"""A path in settings.TOOL_FUNCTIONS that leads nowhere is found at the start, not by the person who runs it."""

from typing import Any

from django.conf import settings
from django.core.checks import Error, register
from django.utils.module_loading import import_string


@register()
def functions_exist(**_: Any) -> list[Error]:
    errors = []
    for path in settings.TOOL_FUNCTIONS:
        try:
            import_string(path)
        except ImportError as error:
            hint = "correct the path in settings.TOOL_FUNCTIONS"
            errors.append(Error(f"tool {path!r}: {error}", hint=hint, id="tools.E001"))
    return errors
