"""Several files of one person may wait; answers say what they were about, and imports what was left out."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def nothing(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """Forwards, all files may stay."""


def keep_newest(apps: StateApps, editor: BaseDatabaseSchemaEditor) -> None:
    """Backwards, one file per person is left, as before: those that wait are a day old at most."""
    pending = apps.get_model("statements", "PendingUpload")
    newest = pending.objects.order_by("user", "-created_at", "-id").distinct("user").values("pk")
    pending.objects.exclude(pk__in=list(newest.values_list("pk", flat=True))).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("statements", "0002_questions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(name="pendingupload", options={"ordering": ("-created_at", "-id")}),
        migrations.AlterField(
            model_name="pendingupload",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.RunPython(nothing, keep_newest),
        migrations.AddField(
            model_name="rememberedanswers",
            name="filename",
            field=models.CharField(blank=True, db_default="", default="", max_length=255),
        ),
        migrations.AddField(
            model_name="rememberedanswers", name="subjects", field=models.JSONField(blank=True, default=dict, null=True)
        ),
        migrations.AddField(
            model_name="statementimport",
            name="answers",
            field=models.JSONField(blank=True, default=dict, help_text="What was answered, now or before.", null=True),
        ),
        migrations.AddField(
            model_name="statementimport",
            name="left_out",
            field=models.JSONField(blank=True, default=list, help_text="No rows: each line, why, text.", null=True),
        ),
    ]
