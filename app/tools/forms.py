"""The form of a tool's arguments, made from its function's signature."""

from collections.abc import Sequence

from django import forms

from tools.calling import Argument

LONGEST = 2000


class RunForm(forms.Form):
    def __init__(self, arguments: Sequence[Argument], data: object = None) -> None:
        super().__init__(data)  # type: ignore[arg-type]  # a QueryDict or nothing
        for argument in arguments:
            self.fields[argument.name] = forms.CharField(
                label=argument.name.replace("_", " ").capitalize(),
                required=argument.required,
                max_length=LONGEST,
                initial=argument.default if argument.default not in ("", None) else None,
                help_text=argument.kind if argument.required else f"{argument.kind}, may be left out",
            )
