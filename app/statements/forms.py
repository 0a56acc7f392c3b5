"""The upload form, and the form with the questions that a file leaves open."""

from __future__ import annotations

from collections.abc import Sequence

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from ledger.models import Account
from statements.reading.asking import Question


class UploadForm(forms.Form):
    account = forms.ModelChoiceField(Account.objects.all(), empty_label=None)
    file = forms.FileField(
        label="Statement",
        max_length=255,
        help_text="The CSV file as downloaded from the bank.",
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.tsv,.txt,text/csv,text/plain"}),
    )

    def clean_file(self) -> UploadedFile[bytes]:
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        if (file.size or 0) > settings.STATEMENT_MAX_BYTES:
            raise forms.ValidationError(
                f"{file.name} has {file.size} bytes; at most {settings.STATEMENT_MAX_BYTES} are read."
            )
        return file


class QuestionsForm(forms.Form):
    """One set of radio buttons for each question; nothing is chosen beforehand."""

    def __init__(self, questions: Sequence[Question], data: object = None) -> None:
        super().__init__(data)  # type: ignore[arg-type]  # a QueryDict or nothing
        for question in questions:
            self.fields[question.key] = forms.ChoiceField(
                label=question.text,
                choices=[(choice.value, choice.label) for choice in question.choices],
                widget=forms.RadioSelect,
            )
