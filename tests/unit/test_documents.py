"""What the documents name is there: links, folders, commands, settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import runbooks

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "roles").glob("*/README.md")])
RUNBOOKS = sorted(set(runbooks.PLACE.glob("*.md")) - {runbooks.PLACE / "README.md"})
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
SETTINGS = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
VARIABLES = set(re.findall(r"^([A-Z]+) =", (ROOT / "Makefile").read_text(), re.MULTILINE))


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    local = [link for link in links if not link.startswith(("http://", "https://"))]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_make_command_exists_or_is_said_not_to(page: Path) -> None:
    lines = [line for line in page.read_text().splitlines() if "*not yet*" not in line]
    commands = [match for line in lines for match in re.findall(r"`make ([a-z][a-z-]*)((?: [A-Z]+=[^ `]*)*)", line)]
    assert [target for target, _given in commands if target not in TARGETS] == []
    given = {word.partition("=")[0] for _target, words in commands for word in words.split()}
    assert given <= VARIABLES


def test_set_up_is_exactly_two_commands() -> None:
    setup = (ROOT / "README.md").read_text().split("## Set-up")[1].split("\n## ")[0]
    blocks = re.findall(r"^```\n(.*?)^```$", setup, re.MULTILINE | re.DOTALL)
    assert [line for block in blocks for line in block.splitlines()] == ["make deploy", "make test"]


def test_every_folder_of_the_map_is_there_and_every_folder_is_on_the_map() -> None:
    readme = (ROOT / "README.md").read_text().split("## Map")[1].split("\n## ")[0]
    mapped = {name.split("/")[0] for name in re.findall(r"`([a-z_]+(?:/[a-z]+)?)/`", readme)}
    known_apart = {"build", "requirements", "node_modules"}  # made, or named by pyproject.toml's neighbours
    there = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")} - known_apart
    assert mapped == there


def test_settings_named_in_troubleshooting_and_mappings_exist() -> None:
    text = "".join((ROOT / "docs" / name).read_text() for name in ("troubleshooting.md", "coming-from.md"))
    named = set(re.findall(r"`([A-Z]+_[A-Z_]+)=", text))
    assert named != set()
    assert named <= SETTINGS


def test_every_module_and_function_of_the_vaults_map_exists() -> None:
    section = (ROOT / "docs/architecture.md").read_text().split("## Inside the vault")[1].split("\n## ")[0]
    named = re.findall(r"`([a-z_]+/[a-z_0-9]+\.py)`(?: \(`(\w+)`\))?", section)
    assert len(named) > 10
    for module, definition in named:
        source = (ROOT / "src/ledgervault" / module).read_text()
        assert re.search(rf"^(?:def|class) {definition}\b", source, re.MULTILINE), f"{module}: {definition}"


@pytest.mark.parametrize("page", RUNBOOKS, ids=name_of)
def test_every_block_of_a_runbook_is_typed_or_shown_and_below_a_heading(page: Path) -> None:
    found = runbooks.read(page.read_text())
    assert found != []
    assert [one.command for one in found if not one.heading] == []


def test_a_runbook_tells_its_commands_by_heading_and_which_were_not_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = "# Title\n\n## One\n```sh\n# a remark\nfirst\n```\n```text\nseen\n```\n## Two\n```sh\nsecond\n```\n"
    page += "```sh\nthird\n```\n"
    (tmp_path / "page.md").write_text(page)
    monkeypatch.setattr(runbooks, "PLACE", tmp_path)
    book = runbooks.Runbook("page.md")
    assert book.under("One") == ["# a remark\nfirst\n"]
    assert book.under("Two", 1) == ["third\n"]
    assert book.not_asked_for() == ["second\n"]
    assert book.under("Two") == ["second\n", "third\n"]
    assert book.blocks() == ["# a remark\nfirst\n", "second\n", "third\n"]
    assert book.not_asked_for() == []
    with pytest.raises(AssertionError, match="no block of commands under 'Three'"):
        book.under("Three")
    with pytest.raises(AssertionError, match="a fence of 'bash'"):
        runbooks.read("## One\n```bash\nx\n```\n")
