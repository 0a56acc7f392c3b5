"""The configuration is read strictly, and the published example is valid."""
# ruff: noqa: E501  - a table of cases reads best with a case on a line

from __future__ import annotations

from pathlib import Path

import pytest

from ledgervault.commands.context import load_config
from ledgervault.model import (
    config,
)
from ledgervault.model.errors import UsageError

ROOT = Path(__file__).parents[4]


def test_the_published_example_is_a_configuration() -> None:
    example = ROOT / "docs" / "vault.toml"
    if not example.exists():
        pytest.skip("the documents are not in the test image; the controller's run reads them")
    read = load_config(example)
    assert read.tiers["hourly"].keep_hours == 48
    assert read.limits == config.Limits()


MINIMAL = """
environment = "ci"
backup_prefix = "ledgerflow"
[database]
name = "ledger"
user = "ledger_backup"
host = "db"
[places]
backups = "/backups/data"
scratch = "/scratch"
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (MINIMAL + "[tiers.minutely]\nkeep_hours = 1\n", "tiers.minutely: unknown tier"),
        (MINIMAL + '[[tables]]\nname = "t"\nexpect_rows = "maybe"\n', "expect_rows is 'maybe'"),
        (MINIMAL.replace('"ledgerflow"', '"Ledger Flow"'), "backup_prefix is 'Ledger Flow'"),
        (MINIMAL + "[limit]\n", "limit: unknown key"),
        ("not toml", "c.toml"),
    ],
)
def test_a_wrong_configuration_is_refused_by_name(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        config.parse(text, "c.toml")


def test_a_configuration_with_the_least_is_enough_and_a_missing_one_is_named() -> None:
    assert config.parse(MINIMAL, "c.toml").database.port == 5432
    with pytest.raises(UsageError, match=r"nowhere\.toml: cannot be read"):
        load_config(Path("/nowhere.toml"))


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ('rows = "forever"', "rows is 'forever'"),
        ('fixed_columns = ["a"]', "fixed_columns, but rows is 'edited'"),
        ('rows = "volatile"\nfixed_columns = ["a"]', "fixed_columns, but rows is 'volatile'"),
        ('rows = "kept"\nfixed_columns = ["a"]', None),
        ('rows = "volatile"', None),
    ],
)
def test_what_may_become_of_a_tables_rows_is_one_of_three(table: str, told: str | None) -> None:
    text = f'environment = "ci"\nbackup_prefix = "x"\n[database]\nname = "l"\nuser = "u"\nhost = "h"\n[places]\nbackups = "/b"\nscratch = "/s"\n[[tables]]\nname = "t"\n{table}\n'
    if told is None:
        assert config.parse(text, "x").tables[0].name == "t"
    else:
        with pytest.raises(UsageError, match=told):
            config.parse(text, "x")
    assert config.TableConfig("t").rows == config.EDITED
