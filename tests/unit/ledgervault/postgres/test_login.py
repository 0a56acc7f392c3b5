"""Log-ins: where the password is, and option values."""

from __future__ import annotations

from dataclasses import replace

from ledgervault.postgres import argv, login
from ledgervault.postgres.login import Login


def test_the_password_goes_by_the_environment_alone() -> None:
    login = Login("h", 1, "u", "d", "geheim")
    assert login.environment({})["PGPASSWORD"] == "geheim"
    assert "PGPASSWORD" not in replace(login, password=None).environment({})
    assert "geheim" not in " ".join(argv.pg_dump("s", 1) + argv.psql({"a": "b"}, True))
    assert login.to("other").password == "geheim"


def test_option_values_with_spaces_and_backslashes_stay_one_value() -> None:
    assert login.options({"a": "b c\\d"}) == "-c a=b\\ c\\\\d"
