"""An import can be undone: its rows stay, marked, and count no more."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_statement")]

    operations = [
        migrations.AddField(
            model_name="transaction",
            name="undone_at",
            field=models.DateTimeField(blank=True, editable=False, help_text="When its import was undone.", null=True),
        ),
    ]
