"""The strict readers: every wrong setting is refused by name, and no secret is ever shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from config import env
from config.env import Env, SettingsError

KEY = "k7Qz-tL9_wXr2VbN4mHs8PdYf3GjCa6TuEeRiOoS1KxWvBnMhZqA5yD0"


def refused(call: object, *arguments: object, **named: object) -> SettingsError:
    assert callable(call)
    with pytest.raises(SettingsError) as caught:
        call(*arguments, **named)
    where, _, hint = str(caught.value).partition("\nHINT: ")
    assert hint, "every refusal says what mends it"
    assert where.startswith(f"{caught.value.setting}: ")
    return caught.value


def test_it_ends_the_process_with_the_message_and_not_with_zero() -> None:
    error = SettingsError("X", "is wrong", "mend it")
    assert isinstance(error, SystemExit)
    assert error.code == "X: is wrong\nHINT: mend it"


@pytest.mark.parametrize("word", ["true", "True", "1", "yes", "on"])
def test_it_reads_true(word: str) -> None:
    assert Env({"DEBUG": word}).boolean("DEBUG", default=False) is True


@pytest.mark.parametrize("word", ["false", "0", "no", "OFF", ""])
def test_it_reads_false_and_empty_as_not_given(word: str) -> None:
    assert Env({"DEBUG": word}).boolean("DEBUG", default=False) is False


@pytest.mark.parametrize("word", ["ture", "2", "y", "None", "enabled"])
def test_it_refuses_a_boolean_that_is_none_and_shows_it(word: str) -> None:
    assert repr(word.lower()) in str(refused(Env({"DEBUG": word}).boolean, "DEBUG", default=False))


def test_it_reads_a_whole_number() -> None:
    assert Env({"N": "8"}).integer("N", 1, low=1, high=9) == 8
    assert Env({}).integer("N", 1, low=1, high=9) == 1


@pytest.mark.parametrize("word", ["ten", "1.5", "0", "10", "-1", "1e1", "99999999999999", "٣"])
def test_it_refuses_a_number_that_is_none_or_out_of_range(word: str) -> None:
    assert word in str(refused(Env({"N": word}).integer, "N", 1, low=1, high=9))


@pytest.mark.parametrize("name", env.ENVIRONMENTS)
def test_it_knows_its_four_environments(name: str) -> None:
    assert Env({"LEDGER_ENV": name}).choice("LEDGER_ENV", env.ENVIRONMENTS) == name


@pytest.mark.parametrize("name", ["production", "PROD", "test", ""])
def test_it_refuses_an_unknown_environment(name: str) -> None:
    assert "dev, ci, staging, prod" in refused(Env({"LEDGER_ENV": name}).choice, "LEDGER_ENV", env.ENVIRONMENTS).hint


class TestSecrets:
    def test_it_takes_the_value_itself(self) -> None:
        assert Env({"X": "abc"}).secret("X") == "abc"

    def test_it_takes_the_file_without_the_last_line_end(self, tmp_path: Path) -> None:
        (tmp_path / "x").write_text(" a b\n\n")
        assert Env({"X_FILE": str(tmp_path / "x")}).secret("X") == " a b\n"

    def test_it_refuses_both_without_showing_either(self, tmp_path: Path) -> None:
        (tmp_path / "x").write_text("hidden-one")
        error = refused(Env({"X": "hidden-two", "X_FILE": str(tmp_path / "x")}).secret, "X")
        assert "hidden" not in str(error)

    def test_it_refuses_a_file_that_is_missing(self) -> None:
        assert "/nowhere/x" in refused(Env({"X_FILE": "/nowhere/x"}).secret, "X").fault

    def test_it_refuses_a_file_that_is_missing_even_for_an_optional_secret(self) -> None:
        refused(Env({"X_FILE": "/nowhere/x"}).secret, "X", "")

    @pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe\x00"])
    def test_it_refuses_a_file_that_is_empty_or_not_text(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "x").write_bytes(content)
        refused(Env({"X_FILE": str(tmp_path / "x")}).secret, "X")

    def test_it_refuses_a_required_one_that_is_not_there(self) -> None:
        assert "X_FILE" in refused(Env({}).secret, "X").hint

    def test_it_lets_an_optional_one_be_absent(self) -> None:
        assert Env({}).secret("X", "") == ""


class TestSecretKey:
    @pytest.mark.parametrize("place", ["staging", "prod"])
    @pytest.mark.parametrize(
        "key", ["short", "a" * 60, f"django-insecure-{KEY}", f"change-me-{KEY}", f"CHANGEME{KEY}", f"secret{KEY}"]
    )
    def test_it_refuses_a_weak_one_where_it_matters_without_showing_it(self, place: str, key: str) -> None:
        error = refused(env.secret_key, Env({"SECRET_KEY": key}), place)
        assert key not in str(error)

    @pytest.mark.parametrize("place", ["staging", "prod"])
    def test_it_takes_a_strong_one(self, place: str) -> None:
        assert env.secret_key(Env({"SECRET_KEY": KEY}), place) == KEY

    def test_it_takes_any_in_dev(self) -> None:
        assert env.secret_key(Env({"SECRET_KEY": "dev"}), "dev") == "dev"


class TestDebug:
    @pytest.mark.parametrize("place", ["staging", "prod"])
    def test_it_is_refused_where_people_work(self, place: str) -> None:
        assert place in str(refused(env.debug, Env({"DEBUG": "true"}), place))

    @pytest.mark.parametrize("place", env.ENVIRONMENTS)
    def test_it_is_off_unless_asked_for(self, place: str) -> None:
        assert env.debug(Env({}), place) is False

    def test_it_may_be_on_in_dev(self) -> None:
        assert env.debug(Env({"DEBUG": "true"}), "dev") is True


class TestAllowedHosts:
    def test_it_refuses_a_star_in_prod(self) -> None:
        assert "'a.example.org,*'" in str(refused(env.allowed_hosts, Env({"ALLOWED_HOSTS": "a.example.org,*"}), "prod"))

    def test_it_demands_names_in_prod(self) -> None:
        refused(env.allowed_hosts, Env({}), "prod")

    def test_it_takes_names_and_addresses(self) -> None:
        hosts = "ledger.example.org, .example.net,10.0.0.1,[::1],ledger-prod-app-web-blue"
        assert len(env.allowed_hosts(Env({"ALLOWED_HOSTS": hosts}), "prod")) == 5

    def test_it_takes_a_star_in_dev(self) -> None:
        assert env.allowed_hosts(Env({"ALLOWED_HOSTS": "*"}), "dev") == ["*"]

    @pytest.mark.parametrize("host", ["https://a.example.org", "a.example.org:443", "a b", "a/b", "-a"])
    def test_it_refuses_what_is_no_host(self, host: str) -> None:
        assert repr(host) in str(refused(env.allowed_hosts, Env({"ALLOWED_HOSTS": host}), "dev"))


class TestDatabase:
    def test_it_reads_user_password_host_port_name_and_options(self) -> None:
        found = env.database(Env({"DATABASE_URL": "postgresql://a:p%40%2F@db:5433/l?options=-c%20role%3Dledger_admin"}))
        assert (found.user, found.password, found.host, found.port, found.name) == ("a", "p@/", "db", 5433, "l")
        assert found.libpq_options == {"options": "-c role=ledger_admin"}

    def test_it_takes_the_password_from_a_file_of_its_own(self, tmp_path: Path) -> None:
        (tmp_path / "p").write_text("p@ss/word#?\n")
        found = env.database(Env({"DATABASE_URL": "postgres://a@db/l", "DATABASE_PASSWORD_FILE": str(tmp_path / "p")}))
        assert (found.password, found.port) == ("p@ss/word#?", 5432)

    @pytest.mark.parametrize(
        "url",
        [
            "mysql://a:hidden@db/l",
            "postgresql://a:hidden@/l",
            "postgresql://a:hidden@db",
            "postgresql://:hidden@db/l",
            "postgresql://a:hidden@db/l/m",
            "postgresql://a:hidden@db:port/l",
            "postgresql://a:hidden@db:99999/l",
            "postgresql://a:hidden@db/l?passfile=hidden",
            "postgresql://a:hidd@en@[::1/l",
            "db/l",
        ],
    )
    def test_it_refuses_what_it_cannot_use_without_showing_the_password(self, url: str) -> None:
        error = refused(env.database, Env({"DATABASE_URL": url}))
        assert "hidd" not in str(error)

    def test_it_refuses_two_passwords(self) -> None:
        values = {"DATABASE_URL": "postgres://a:hidden1@db/l", "DATABASE_PASSWORD": "hidden2"}
        assert "hidden" not in str(refused(env.database, Env(values)))


class TestRedis:
    def test_it_puts_the_password_in(self) -> None:
        values = {"R": "redis://db:6380/1", "P": "a@b/c"}
        assert env.redis_url(Env(values), "R", "P", required=True) == "redis://:a%40b%2Fc@db:6380/1"

    def test_it_keeps_an_address_of_version_six(self) -> None:
        assert (
            env.redis_url(Env({"R": "rediss://[::1]/0", "P": "x"}), "R", "P", required=True)
            == "rediss://:x@[::1]:6379/0"
        )

    def test_it_takes_one_without_password(self) -> None:
        assert env.redis_url(Env({"R": "redis://db"}), "R", "P", required=True) == "redis://db"

    def test_it_may_be_absent_if_optional(self) -> None:
        assert env.redis_url(Env({}), "R", "P", required=False) == ""

    @pytest.mark.parametrize(
        "url", ["http://:hidden@db", "redis://:hidden@/0", "redis://:hidden@db/zero", "redis://:hidden@db:x/0"]
    )
    def test_it_refuses_what_it_cannot_use(self, url: str) -> None:
        assert "hidden" not in str(refused(env.redis_url, Env({"R": url}), "R", "P", required=True))

    def test_it_refuses_to_be_absent_if_required(self) -> None:
        refused(env.redis_url, Env({}), "R", "P", required=True)


class TestPlaces:
    def test_it_takes_a_directory_that_exists(self, tmp_path: Path) -> None:
        assert Env({"M": str(tmp_path)}).directory("M") == tmp_path

    def test_it_refuses_a_directory_that_does_not(self) -> None:
        assert "'/nowhere'" in str(refused(Env({"M": "/nowhere"}).directory, "M"))

    def test_it_refuses_a_relative_path(self) -> None:
        assert "'media'" in str(refused(Env({"M": "media"}).path, "M"))

    def test_it_takes_a_known_time_zone_and_refuses_another(self) -> None:
        assert Env({"TZ": "Europe/Vienna"}).time_zone("TZ", "UTC") == "Europe/Vienna"
        for wrong in ("Europe/Wien2", "../etc/passwd", "Europe"):
            assert repr(wrong) in str(refused(Env({"TZ": wrong}).time_zone, "TZ", "UTC"))

    def test_it_takes_an_http_address_and_refuses_others(self) -> None:
        assert Env({"U": "https://a.example.org/x/"}).http_url("U") == "https://a.example.org/x"
        for wrong in ("a.example.org", "ftp://a", "http://", "http://u:hidden@a"):
            assert "hidden" not in str(refused(Env({"U": wrong}).http_url, "U"))

    def test_it_takes_origins_and_refuses_paths_in_them(self) -> None:
        assert Env({"O": "https://a.example.org,http://127.0.0.1:9001"}).origins("O")[1] == "http://127.0.0.1:9001"
        refused(Env({"O": "https://a.example.org/x"}).origins, "O")
