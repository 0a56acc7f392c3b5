"""The form of a tool's arguments, made from its function's signature."""

from collections.abc import Sequence

from django import forms

from tools.calling import Argument

LONGEST = 2000


class RunForm(forms.Form):
    def __init__(self, arguments: Sequence[Argument], data: object = None) -> None:
        super().__init__(data)  # type: ignore[arg-type]  # a QueryDict or nothing
        for one in arguments:
            self.fields[one.name] = forms.CharField(
                label=one.name.replace("_", " ").capitalize(),
                required=one.required,
                max_length=LONGEST,
                initial=one.default if one.default not in ("", None) else None,
                help_text=one.kind if one.required else f"{one.kind}, may be left out",
            )
