"""Failed sign-ins are logged with user and address, and too many of them are refused; on both pages that sign in."""

from __future__ import annotations

import pytest
from config import sign_ins
from conftest import PASSWORD
from django.contrib.auth.models import User
from django.test import Client

pytestmark = pytest.mark.django_db
PAGES = ["/sign-in/", "/admin/login/"]
AT_HOME = {"x-forwarded-for": "203.0.113.9"}


def attempt(client: Client, page: str, password: str, username: str = "keeper", **headers: str) -> bool:
    answer = client.post(page, {"username": username, "password": password}, headers={**AT_HOME, **headers})
    return answer.status_code == 302


@pytest.mark.parametrize("page", PAGES)
def test_a_failure_is_logged_with_user_and_address(
    client: Client, user: User, page: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert not attempt(client, page, "wrong")
    assert [record.getMessage() for record in caplog.records if record.name == "ledger.sign_ins"] == [
        "sign-in failed: user 'keeper' from 203.0.113.9"
    ]
    assert "wrong" not in caplog.text


@pytest.mark.parametrize(("headers", "address"), [
    ({"x-forwarded-for": "198.51.100.7, 203.0.113.9"}, "203.0.113.9"),
    ({"x-forwarded-for": "2001:db8::1"}, "2001:db8::1"),
    ({"x-forwarded-for": "nobody\nelse"}, "127.0.0.1"),
    ({"x-forwarded-for": ""}, "127.0.0.1"),
])  # fmt: skip
def test_the_address_is_the_last_one_that_a_proxy_appended(
    client: Client, user: User, headers: dict[str, str], address: str, caplog: pytest.LogCaptureFixture
) -> None:
    attempt(client, "/sign-in/", "wrong", **headers)
    assert caplog.messages[-1].endswith(f"from {address}")


def test_a_user_name_cannot_forge_a_line(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    attempt(client, "/sign-in/", "wrong", username="x\n2026 INFO all is well")
    assert all("\n" not in message for message in caplog.messages)


@pytest.mark.parametrize("page", PAGES)
def test_after_too_many_failures_the_right_password_is_refused_from_there(
    client: Client, user: User, page: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(sign_ins.MOST_OF_A_USER):
        assert not attempt(client, page, "wrong")
    assert not attempt(client, page, PASSWORD)
    assert "refused for 15 minutes" in caplog.messages[-1]
    assert attempt(client, page, PASSWORD, **{"x-forwarded-for": "203.0.113.10"}), "another address is let in"


def test_one_failure_less_lets_the_right_password_in_and_starts_anew(client: Client, user: User) -> None:
    for _ in range(2):
        for _ in range(sign_ins.MOST_OF_A_USER - 1):
            assert not attempt(client, "/sign-in/", "wrong")
        assert attempt(client, "/sign-in/", PASSWORD)
        client.logout()


def test_many_names_from_one_address_are_refused_too(client: Client, user: User) -> None:
    for number in range(sign_ins.MOST_OF_AN_ADDRESS):
        attempt(client, "/sign-in/", "wrong", username=f"guess{number}")
    assert not attempt(client, "/sign-in/", PASSWORD)


def test_a_signed_in_persons_pages_are_kept_nowhere(signed_in: Client) -> None:
    for path in ("/", "/statements/", "/transactions/add/", "/api/search?q=x"):
        assert "no-store" in signed_in.get(path)["Cache-Control"], path
