"""The inventory of all environments names no application: names, tables and figures are in inventory/apps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMMON = sorted((ROOT / "inventory/common").glob("*.yml"))
APPLICATION = ROOT / "inventory/common/application.yml"
# Names of the database, its roles and its tables; not `ledger_env`, `ledgervault` or the search engine called ledger.
OWN_NAMES = re.compile(
    r"\bledger_(?!env\b|root\b)\w+|statements_\w+|/ledger\b|(?:database|name) ?[:=] \"?ledger\"?$", re.MULTILINE
)


@pytest.mark.parametrize("path", [path for path in COMMON if path != APPLICATION], ids=lambda path: path.name)
def test_what_all_applications_share_names_none_of_one(path: Path) -> None:
    text = path.read_text().replace("  - name: ledger\n    engine: json_engine", "")
    assert OWN_NAMES.findall(text) == []


def test_the_application_is_chosen_by_one_link() -> None:
    assert APPLICATION.readlink() == Path("../apps/ledger.yml")
    variables = yaml.safe_load(APPLICATION.read_text())
    assert OWN_NAMES.search(APPLICATION.read_text())
    assert {"application_database", "application_backup_prefix", "application_vault_sections"} <= set(variables)
