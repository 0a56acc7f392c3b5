"""The upload form."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from ledger.models import Account


class UploadForm(forms.Form):
    account = forms.ModelChoiceField(Account.objects.all(), empty_label=None)
    file = forms.FileField(
        label="Statement",
        max_length=255,
        help_text="Wells Fargo's CSV, as downloaded from the bank.",
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,text/csv"}),
    )

    def clean_file(self) -> UploadedFile[bytes]:
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        if (file.size or 0) > settings.STATEMENT_MAX_BYTES:
            raise forms.ValidationError(
                f"{file.name} has {file.size} bytes; at most {settings.STATEMENT_MAX_BYTES} are read."
            )
        return file
