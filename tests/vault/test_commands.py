"""The other commands: restore, compare, list, show, prune, schedule, and what the command line itself promises."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from kit import Cluster, Vault

from ledgervault import cli
from ledgervault.commands import context
from ledgervault.commands.schedule import Schedule
from ledgervault.storage import files


@pytest.fixture
def copy(cluster: Cluster) -> Iterator[str]:
    yield "t_copy"
    for name in ("t_copy", "t_copy_restoring"):
        cluster.run("postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def test_a_restore_makes_a_new_database_that_equals_the_backup(vault: Vault, cluster: Cluster, copy: str) -> None:
    path = vault.taken()
    vault.proven(path)
    result = vault("restore", path.name, "--into-database", copy, "--create")
    assert (result.code, result.verdict) == (0, "proven")
    assert cluster.run(copy, "SELECT count(*), sum(amount) FROM public.transaction") == vault.sql(
        "SELECT count(*), sum(amount) FROM public.transaction"
    )
    owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
    assert cluster.run(copy, owner) == [("ledger_admin",)]
    vault.configure(user="postgres")
    assert vault("compare", path.name, "--database", copy).verdict == "proven"


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (
            "DELETE FROM public.transaction WHERE id = 7",
            "table public.transaction: 199 rows restored, 200 in the manifest",
        ),
        (
            "UPDATE public.transaction SET amount = amount + 0.01 WHERE id = 7",
            "table public.transaction: 200 rows as in",
        ),
        ("UPDATE public.transaction SET category_id = NULL WHERE id = 7", "table public.transaction: 200 rows as in"),
        ("DROP INDEX public.transaction_day", "index public.transaction_day: missing"),
        ("CREATE TABLE public.new ()", "table public.new: 0 rows restored, not in the manifest"),
        (
            "INSERT INTO public.heads VALUES ('later', '0001')",
            "migrations: missing none; not in the manifest later 0001",
        ),
    ],
)
def test_compare_finds_what_changed_in_a_live_database_and_names_it(vault: Vault, damage: str, told: str) -> None:
    path = vault.taken()
    assert vault("compare", path.name, "--database", vault.database).code == 0
    vault.sql(damage)
    result = vault("compare", path.name, "--database", vault.database)
    assert result.code == 1
    assert told in result.bad


def test_compare_without_a_manifest_or_a_database_could_not_check(vault: Vault) -> None:
    path = vault.taken()
    assert vault("compare", path.name, "--database", "t_nowhere").code == 2
    manifest = path.with_name(path.name + ".manifest.json")
    manifest.write_text("{")
    assert vault("compare", path.name, "--database", vault.database).code == 1
    manifest.unlink()
    assert vault("compare", path.name, "--database", vault.database).code == 2


def test_a_restore_never_touches_a_database_that_is_there(vault: Vault) -> None:
    vault.proven()
    before = vault.sql("SELECT count(*) FROM public.transaction")
    result = vault("restore", "latest", "--into-database", vault.database, "--create")
    assert result.code == 2
    assert "exists already and is not touched" in result.error
    assert vault.sql("SELECT count(*) FROM public.transaction") == before


def test_a_backup_that_is_not_proven_is_restored_only_on_request(vault: Vault, copy: str) -> None:
    path = vault.taken()
    result = vault("restore", path.name, "--into-database", copy, "--create")
    assert result.code == 1
    assert "is unproven, not proven" in result.error
    assert vault("restore", path.name, "--into-database", copy, "--create", "--unproven").code == 0


def test_a_damaged_backup_is_not_restored(vault: Vault, copy: str) -> None:
    path = vault.taken()
    vault.proven(path)
    path.write_bytes(path.read_bytes()[:-1])
    result = vault("restore", path.name, "--into-database", copy, "--create")
    assert result.code == 1
    assert "is not restored: size" in result.error


def test_b27_a_restore_that_fails_half_way_leaves_no_database(
    bare: Callable[..., Vault], cluster: Cluster, copy: str
) -> None:
    vault = bare()
    vault.sql("CREATE FUNCTION public.noticed() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN END$$;"
              "CREATE EVENT TRIGGER noticed ON sql_drop EXECUTE FUNCTION public.noticed()")  # fmt: skip
    vault.proven()
    result = vault("restore", "latest", "--into-database", copy, "--create")
    assert result.code == 2
    assert "must be able to SET ROLE" in result.error
    assert "HINT: the restoring role may not do that" in result.error
    assert cluster.run("postgres", "SELECT count(*) FROM pg_database WHERE datname ~ '^t_copy'") == [(0,)]


def test_a_restore_heals_what_a_killed_one_left_and_refuses_names_that_are_too_long(
    vault: Vault, cluster: Cluster, copy: str
) -> None:
    vault.proven()
    cluster.run("postgres", f"CREATE DATABASE {copy}_restoring OWNER ledger_restore")
    assert vault("restore", "latest", "--into-database", copy, "--create").code == 0
    assert vault("restore", "latest", "--into-database", "x" * 60, "--create").code == 64


def test_a_restore_wants_its_own_role(vault: Vault) -> None:
    vault.proven()
    text = vault.config.read_text()
    vault.config.write_text(text.replace('[restore]\nuser = "ledger_restore"\nowner = "ledger_admin"\n', ""))
    assert "no [restore] part" in vault("restore", "latest", "--into-database", "t_copy", "--create").error


def test_retention_keeps_the_newest_proven_and_explains_what_it_removed(vault: Vault) -> None:
    vault.configure(extra="[tiers.hourly]\nkeep_hours = 0")
    first, second, third = vault.taken(), vault.taken(), vault.taken()
    assert vault("prune").data["removed"] == []
    vault.proven(second)
    assert vault("prune").data["removed"] == [first.name]
    assert second.exists() and third.exists()
    assert vault("prune").data["removed"] == []
    assert vault("audit").code == 0
    assert "removed on purpose" in json.dumps(vault("audit").data)
    assert vault("prove", third.name, "--then-prune").code == 0
    assert not second.exists()


def test_audit_finds_what_was_removed_swapped_or_added_by_hand(vault: Vault) -> None:
    paths = [vault.taken() for _ in range(4)]
    proof = vault.proven(paths[3]).data["file"]
    assert vault("audit").code == 0
    paths[0].unlink()
    paths[1].write_bytes(b"x" * paths[1].stat().st_size)
    paths[2].with_name(paths[2].name + ".manifest.json").unlink()
    stranger = vault.backups / "hourly" / "ledgerflow_db_backup_20200101_000000.sql.gz"
    stranger.write_bytes(b"x")
    for found in paths[3].parent.glob(f"{proof}.proof-*"):
        found.write_text("{}")
    result = vault("audit")
    assert result.code == 1
    said = result.bad
    for told in ("and the journal tells of no removal", "its bytes are not those", "manifest.json: missing",
                 "the journal knows nothing of it", "was changed after it was written"):  # fmt: skip
        assert told in said
    assert vault("prove", str(stranger)).verdict != "proven"
    for found in paths[3].parent.glob(f"{proof}.proof-*"):
        found.unlink()
    assert "proof-" in vault("audit").bad


def _edit_last_line(vault: Vault, old: bytes, new: bytes) -> None:
    place = vault.backups / "journal.jsonl"
    *lines, last = place.read_bytes().splitlines(keepends=True)
    assert old in last
    place.write_bytes(b"".join([*lines, last.replace(old, new)]))


def test_b46_the_journals_last_line_edited_is_found_and_stays_found(vault: Vault) -> None:
    vault.proven()
    path = vault.taken()
    assert "its last line is the one that was written" in json.dumps(vault("audit").data)
    path.write_bytes(path.read_bytes()[:-1])
    assert vault("verify", path.name).verdict == "failed"
    _edit_last_line(vault, b'"verdict":"failed"', b'"verdict":"proven"')
    result = vault("audit")
    assert result.code == 1
    assert "is not the one that was written" in result.bad
    assert "verdict is 'failed', 'proven' in the journal's line" in result.bad
    assert vault("prune").code == 2, "an edited journal removes nothing"
    vault.taken()
    assert "is not the one that was written" in vault("audit").bad, "the next line does not hide it"
    (vault.place / "journal-head.json").unlink()
    assert "verdict is 'failed'" in vault("audit").bad


def test_b46_a_last_line_cut_away_is_found(vault: Vault) -> None:
    vault.proven()
    place = vault.backups / "journal.jsonl"
    place.write_bytes(b"".join(place.read_bytes().splitlines(keepends=True)[:-1]))
    result = vault("audit")
    assert result.code == 1
    assert "1 lines, 2 were written: the last ones are gone" in result.bad


def test_audit_compares_a_backups_line_with_its_manifest(vault: Vault) -> None:
    vault.taken()
    _edit_last_line(vault, b'"rows":203', b'"rows":205')
    (vault.place / "journal-head.json").unlink()
    result = vault("audit")
    assert result.code == 1
    assert "rows is 205 in the journal's line 1, 203 in its manifest" in result.bad


COMMANDS = [
    ["list"],
    ["audit"],
    ["prune"],
    ["state"],
    ["verify-data"],
    ["prove", "latest"],
    ["verify", "newest"],
    ["backup"],
]


@pytest.mark.parametrize("line", [b'"event":"audited"', b'"event":"backup","schema":4'], ids=["event", "schema"])
def test_a_line_of_a_newer_version_is_refused_by_a_clear_word_by_every_command(vault: Vault, line: bytes) -> None:
    vault.taken()
    _edit_last_line(vault, b'"event":"backup"', line)
    for command in COMMANDS:
        result = vault(*command)
        assert result.code == 2, command
        assert "written by a newer ledgervault" in result.error, command
        assert "Traceback" not in result.error, command


def test_what_cannot_be_read_is_exit_2_with_one_message(vault: Vault) -> None:
    path = vault.taken()
    vault.proven(path)
    place = vault.backups / "journal.jsonl"
    whole = place.read_bytes()
    place.unlink()
    place.mkdir()
    for command in COMMANDS:
        result = vault(*command)
        assert result.code == 2, command
        assert "journal.jsonl: cannot be read" in result.error and "Traceback" not in result.error, command
    place.rmdir()
    place.write_bytes(whole.replace(b'"tier":"hourly"', b'"tier":7'))
    assert "tier is 7, expected str" in vault("state").data["journal"]["broken"]
    for command in (each for each in COMMANDS if each != ["state"]):  # that one reports the journal as it is
        result = vault(*command)
        assert result.code in (1, 2) and "Traceback" not in result.error, command
    place.write_bytes(whole)
    manifest = path.with_name(path.name + ".manifest.json")
    text = manifest.read_bytes()
    for wrong, code in ((b"[" * 100_000, 2), (text.replace(b'"schema": 2', b'"schema": 3'), 2)):
        manifest.write_bytes(wrong)
        for command in (["show", "latest"], ["verify-data"]):
            result = vault(*command)
            assert (result.code, "Traceback" in result.error) == (code, False), command
    assert "written by a newer ledgervault" in vault("prove", path.name, "--without-journal").bad
    assert vault("prove", path.name, "--without-journal").code == 2
    manifest.unlink()
    manifest.mkdir()
    for command in (["show", "latest"], ["audit"], ["verify", path.name], ["verify-data"]):
        result = vault(*command)
        assert (result.code, "Traceback" in result.error) == (2, False), command


def test_a_forgotten_backup_counts_for_nothing_and_its_file_goes_in_time(vault: Vault) -> None:
    vault.configure(extra="[tiers.hourly]\nkeep_hours = 0")
    first = vault.taken()
    vault.proven(first)
    result = vault("forget", first.name, "--reason", "the clock was ahead")
    assert result.code == 2
    assert "is the only proven backup" in result.error
    second = vault.taken()
    vault.proven(second)
    assert vault("forget", second.name, "--reason", " ").code == 64
    assert vault("forget", second.name, "--reason", "the clock was ahead").data["verdict"] == "forgotten"
    assert [entry["file"] for entry in vault("list").data] == [first.name]
    assert (first.parent / "latest.sql.gz").readlink() == Path(first.name)
    assert second.exists(), "nothing newer is proven"
    assert vault("prune").data["removed"] == []
    assert vault("audit").code == 0
    vault.proven()
    assert second.name in vault("prune").data["removed"]
    assert not second.exists() and not second.with_name(second.name + ".digests").exists()


def test_one_backup_from_the_future_blocks_prune_only_until_it_is_forgotten(vault: Vault) -> None:
    vault.configure(extra="[tiers.hourly]\nkeep_hours = 0")
    vault.proven()
    taken = vault.taken()
    place = vault.backups / "journal.jsonl"
    year = str(files.now().year).encode()
    *lines, last = place.read_bytes().splitlines(keepends=True)
    ahead = last.replace(b'"time":"' + year, b'"time":"' + str(int(year) + 1).encode())
    assert ahead != last
    place.write_bytes(b"".join([*lines, ahead]))
    (vault.place / "journal-head.json").unlink()
    assert vault("prune").code == 2
    assert vault("forget", taken.name, "--reason", "the clock was ahead").code == 0
    assert vault("prune").code == 0


def test_an_empty_store_cannot_be_audited_or_searched(vault: Vault) -> None:
    assert vault("audit").code == 2
    assert vault("list").data == []
    assert vault("prove", "latest").code == 2
    assert vault("prove", "newest").code == 2
    assert vault("verify", "no_such_file").code == 64


def test_a_later_failure_overrides_an_earlier_proof(vault: Vault) -> None:
    path = vault.taken()
    vault.proven(path)
    whole = path.read_bytes()
    path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    assert vault("verify", path.name).code == 1
    assert vault("list").data[0]["verdict"] == "failed"
    assert not (path.parent / "latest.sql.gz").is_symlink()
    assert json.loads((vault.place / "vault.json").read_text())["newest_proven"] is None
    path.write_bytes(whole)
    assert vault("verify", path.name).code == 0
    assert vault("list").data[0]["verdict"] == "failed", "bytes alone prove nothing"
    vault.proven(path)
    assert vault("list").data[0]["verdict"] == "proven"


def test_the_state_says_what_others_may_believe(vault: Vault) -> None:
    path = vault.taken()
    state = vault.place / "vault.json"
    assert json.loads(state.read_text())["newest_proven"] is None
    vault.proven(path)
    proven = json.loads(state.read_text())["newest_proven"]
    assert (proven["path"], proven["watched"]) == (f"hourly/{path.name}", {"public.transaction": 200})
    assert vault("state").data["newest_proven"] == proven


def test_show_and_texts_for_people(vault: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    deployment = vault.place / "deployment.json"
    deployment.write_text('{"commit": "abc"}')
    text = vault.config.read_text().replace("[places]", f'[places]\ndeployment = "{deployment}"')
    vault.config.write_text(text)
    base = ["--config", str(vault.config)]
    assert cli.main([*base, "backup", "--prove"]) == 0
    assert "VERDICT: proven" in capsys.readouterr().out
    for arguments in (
        ["list"],
        ["show", "latest"],
        ["prove", "latest", "--all"],
        ["audit"],
        ["prune"],
        ["verify", "newest"],
    ):
        assert cli.main([*base, *arguments]) == 0
    said = capsys.readouterr().out
    assert "table public.transaction: 200 rows, content equal" in said
    assert '"commit": "abc"' in said
    assert vault("show", "latest").data["content"]["tables"]["public.transaction"]["rows"] == 200
    deployment.write_text("{")
    assert "cannot be read" in vault("backup").error


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nonsense"], 64),
        ([], 64),
        (["backup", "--kind", "other"], 64),
        (["backup", "--kind", "full"], 64),
        (["restore", "x"], 64),
    ],
)
def test_what_makes_no_sense_is_exit_64(vault: Vault, arguments: list[str], code: int) -> None:
    try:
        seen = cli.main(["--config", str(vault.config), *arguments])
    except SystemExit as error:
        seen = int(str(error.code))
    assert seen == code


def test_help_and_version_are_exit_0() -> None:
    for arguments in (["--help"], ["--version"], ["prove", "--help"]):
        with pytest.raises(SystemExit) as caught:
            cli.main(arguments)
        assert caught.value.code == 0


def test_the_schedule_takes_proves_and_prunes_by_itself(vault: Vault) -> None:
    text = context.load_config(vault.config)
    plan = Schedule(context.make_context(text, context.silent), vault.config)
    vault.taken()
    plan._queue_unproven()
    plan.due = files.now()
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        plan.tick(files.now())
        verdicts = [entry["verdict"] for entry in vault("list").data]
        if verdicts == ["proven", "proven"]:
            break
        time.sleep(0.2)
    assert verdicts == ["proven", "proven"]
    assert plan.proof is None or plan.proof.wait(20) == 0
    assert plan.due is not None and files.now() < plan.due <= files.now() + timedelta(hours=1, minutes=1)
    assert vault_health(vault) == 0


def test_the_schedule_stops_when_told_to_and_takes_its_children_along(vault: Vault) -> None:
    process = subprocess.Popen([sys.executable, "-m", "ledgervault", "--config", str(vault.config), "schedule"],
                               stderr=subprocess.PIPE)  # fmt: skip
    deadline = time.monotonic() + 20
    while vault_health(vault) != 0 and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 0
    assert b"next backup at" in said


def test_a_container_without_a_heartbeat_is_not_healthy(vault: Vault) -> None:
    assert vault_health(vault) == 2
    beat = vault.place / "scratch" / "heartbeat"
    beat.touch()
    assert vault_health(vault) == 0
    import os

    os.utime(beat, (1, 1))
    assert vault_health(vault) == 2


def test_the_password_is_in_no_argument_list(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    from ledgervault.host import process

    seen: list[str] = []
    original = process.tied
    monkeypatch.setattr(process, "tied", lambda argv, *rest: seen.extend(argv) or original(argv, *rest))
    secret = vault.place / "password"
    secret.write_text("right\n")
    vault.configure(user="ledger_secret", password=f'password_file = "{secret}"')
    vault.taken()
    assert "pg_dump" in seen
    assert not [argument for argument in seen if "right" in argument]


def vault_health(vault: Vault) -> int:
    return cli.main(["--config", str(vault.config), "health"])


def test_a_manifest_fits_the_published_schema(vault: Vault) -> None:
    path = vault.taken()
    manifest = json.loads(Path(str(path) + ".manifest.json").read_bytes())
    assert manifest["schema"] == 2
    assert set(manifest) >= {"file", "sha256", "content", "sequences_dumped", "environment"}


INVARIANT = '[[invariants]]\nname = "{name}"\nquery = "{query}"'


def test_verify_data_holds_while_the_ledger_only_grows(vault: Vault) -> None:
    vault.configure(
        extra=INVARIANT.format(name="no zero", query="SELECT count(*) FROM public.transaction WHERE amount = 0")
    )
    assert vault("verify-data").code == 2, "there is no proven backup yet"
    vault.proven()
    vault.sql("INSERT INTO public.transaction (amount, description, day) VALUES (1, 'new', now())")
    vault.sql("DELETE FROM public.transaction WHERE id < 10")
    result = vault("verify-data")
    assert (result.code, result.verdict) == (0, "holds"), result.bad
    assert "table public.transaction: 192 rows, 200 in the backup" in result.said
    assert "invariant 'no zero': holds" in result.said


@pytest.mark.parametrize(
    ("damage", "extra", "code", "told"),
    [
        ("DELETE FROM public.transaction WHERE id > 100", "", 1, "table public.transaction: 100 transactions, 200 in"),
        (
            "DROP TABLE public.transaction CASCADE",
            "",
            1,
            "table public.transaction: gone, 200 rows in",
        ),
        ("DROP INDEX public.transaction_day", "", 1, "index public.transaction_day: missing"),
        ("SELECT 1", INVARIANT.format(name="never", query="SELECT 3"), 1, "invariant 'never': 3 rows break it"),
        (
            "SELECT 1",
            INVARIANT.format(name="odd", query="SELECT x FROM nowhere"),
            2,
            "invariant 'odd': could not be asked",
        ),
    ],
    ids=["rows gone", "table gone", "index gone", "invariant broken", "invariant that cannot be asked"],
)
def test_verify_data_names_what_is_gone_or_broken(vault: Vault, damage: str, extra: str, code: int, told: str) -> None:
    vault.proven()
    vault.configure(extra=extra)
    vault.sql(damage)
    result = vault("verify-data")
    assert result.code == code
    assert told in result.bad


def test_verify_data_compares_no_definitions_across_a_migration_and_says_so(vault: Vault) -> None:
    vault.proven()
    vault.sql(
        "ALTER TABLE public.category ADD COLUMN late text; INSERT INTO public.heads VALUES ('ledger', '0002_late')"
    )
    result = vault("verify-data")
    assert result.verdict == "holds", result.bad
    assert "others than in the backup" in result.said


def test_verify_data_of_a_database_that_is_down_is_not_fine(vault: Vault) -> None:
    vault.proven()
    vault.configure(host=vault.place)
    assert vault("verify-data").code == 2
