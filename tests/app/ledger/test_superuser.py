"""The first superuser: made once, never changed."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from conftest import PASSWORD
from django.contrib.auth.models import User
from django.core.management import call_command

pytestmark = pytest.mark.django_db


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    return file


def ensure(file: Path, username: str = "admin") -> str:
    out = StringIO()
    call_command("ensure_superuser", username=username, password_file=file, stdout=out)
    return out.getvalue()


def test_it_creates_the_first_one_who_can_sign_in(password_file: Path) -> None:
    assert ensure(password_file) == "created: superuser admin\n"
    admin = User.objects.get()
    assert admin.is_superuser and admin.is_staff and admin.check_password(PASSWORD)


def test_the_second_time_it_changes_nothing(password_file: Path) -> None:
    ensure(password_file)
    User.objects.get().set_password("something else entirely")
    password_file.write_text("another password for nobody")
    before = User.objects.values().get()
    assert ensure(password_file) == "unchanged: superuser admin exists\n"
    assert User.objects.values().get() == before


def test_it_does_not_bring_back_one_who_was_replaced(password_file: Path) -> None:
    User.objects.create_superuser("olga", password=PASSWORD)
    assert ensure(password_file) == "unchanged: superuser olga exists\n"
    assert not User.objects.filter(username="admin").exists()


def test_it_does_not_make_a_superuser_of_somebody(password_file: Path) -> None:
    User.objects.create_user("admin")
    with pytest.raises(SystemExit) as caught:
        ensure(password_file)
    assert caught.value.code == 1 and not User.objects.get().is_superuser


@pytest.mark.parametrize("password", ["", "Tea4two", "123456789012", "password1234", "administrator"])
def test_it_refuses_a_weak_password_without_showing_it(
    password_file: Path, password: str, capsys: pytest.CaptureFixture[str]
) -> None:
    password_file.write_text(password)
    with pytest.raises(SystemExit) as caught:
        ensure(password_file)
    assert caught.value.code == 1 and not User.objects.exists()
    assert not password or password not in capsys.readouterr().err


def test_a_missing_file_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        ensure(tmp_path / "none")
    assert str(tmp_path / "none") in capsys.readouterr().err
