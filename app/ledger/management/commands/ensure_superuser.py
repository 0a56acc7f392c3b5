"""The first superuser, once. Later runs change nothing: neither a password someone has set nor an account someone has
removed on purpose comes back."""

from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model, password_validation
from django.core.exceptions import ValidationError
from django.core.management.base import CommandParser
from django.db import IntegrityError, transaction

from config.commands import BAD, HouseCommand
from config.env import SettingsError, read_secret_file


class Command(HouseCommand):
    help = "Create the first superuser from a password file; print `created` or `unchanged`."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--username", required=True)
        parser.add_argument("--password-file", required=True, type=Path)

    def handle(self, *, username: str, password_file: Path, **_: Any) -> None:
        users = get_user_model().objects
        existing = users.filter(is_superuser=True).order_by("pk").values_list("username", flat=True).first()
        if existing is not None:
            self.stdout.write(f"unchanged: superuser {existing} exists")
            return
        if users.filter(username=username).exists():
            hint = "choose another --username, or make that person a superuser in the admin"
            self.stop(BAD, "ensure_superuser", f"{username!r} exists and is not a superuser", hint)
        password = self._password(username, password_file)
        try:
            with transaction.atomic():
                users.create_superuser(username=username, password=password)
        except IntegrityError:  # another deploy was a moment faster
            self.stdout.write(f"unchanged: superuser {username} exists")
            return
        self.stdout.write(f"created: superuser {username}")

    def _password(self, username: str, path: Path) -> str:
        try:
            password = read_secret_file("--password-file", path)
            password_validation.validate_password(password, get_user_model()(username=username))
        except SettingsError as error:
            self.stop(BAD, error.setting, error.fault, error.hint)
        except ValidationError as error:
            fault = f"the password in {path} is too weak: {' '.join(error.messages)}"
            self.stop(BAD, "--password-file", fault, "write 20 random characters into it")
        return password
