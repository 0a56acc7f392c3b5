"""The first tool is there from the start."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

DESCRIPTION = "Searches the web through our own SearXNG: title, address and text of each result."


def register(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    values = {"description": DESCRIPTION, "function": "tools.search_tool.search_web"}
    apps.get_model("tools", "Tool").objects.get_or_create(name="search_web", defaults=values)


class Migration(migrations.Migration):
    dependencies = [("tools", "0001_initial")]

    operations = [migrations.RunPython(register, migrations.RunPython.noop)]
