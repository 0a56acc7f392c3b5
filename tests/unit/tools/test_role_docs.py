"""A role's table comes from its specification and cannot be stale unseen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import role_docs

SPEC = {
    "preflight": {"options": {"demo_extra": {"type": "str", "required": True, "description": "Only here."}}},
    "main": {
        "options": {
            "demo_sizes": {
                "type": "list",
                "elements": "int",
                "default": [1, 2],
                "description": ["One.", "Two | three."],
            },
            "demo_mode": {"type": "str", "choices": ["a", "b"], "default": "", "description": "Which."},
        }
    },
}
README = f"# demo\n{role_docs.START}\nold\n{role_docs.END}\nend\n"


@pytest.fixture
def role(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(role_docs, "ROOT", tmp_path)
    (tmp_path / "roles/demo/meta").mkdir(parents=True)
    spec = "argument_specs:\n  main:\n    options:\n      demo_x: {type: int, default: 1, description: Ex.}\n"
    (tmp_path / "roles/demo/meta/argument_specs.yml").write_text(spec)
    (tmp_path / "roles/demo/README.md").write_text(README)
    return tmp_path / "roles/demo"


def test_the_table_shows_type_default_and_meaning_of_every_entry_points_options() -> None:
    rows = role_docs.table(SPEC).splitlines()[2:]
    assert rows == [
        "| `demo_sizes` | list of int | `[1, 2]` | One. Two \\| three. |",
        '| `demo_mode` | str: `a`, `b` | `""` | Which. |',
        "| `demo_extra` | str | *required* | Only here. |",
    ]


def test_only_what_is_between_the_markers_changes() -> None:
    text = role_docs.with_table(README, {})
    assert text == README.replace("old", "This role has no variables.")
    assert role_docs.with_table(text, {}) == text


@pytest.mark.parametrize("text", ["# demo\n", README + README, f"{role_docs.END}\n{role_docs.START}\n"])
def test_it_refuses_a_readme_whose_markers_are_not_there_once(text: str) -> None:
    with pytest.raises(ValueError, match="markers"):
        role_docs.with_table(text, {})


def test_check_finds_a_stale_table_and_writing_mends_it(role: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert role_docs.main(["--check"]) == 1
    assert "HINT: make docs" in capsys.readouterr().err
    assert (role / "README.md").read_text() == README
    assert role_docs.main([]) == 0
    assert "`demo_x`" in (role / "README.md").read_text()
    assert role_docs.main(["--check"]) == 0


def test_a_role_without_readme_or_specification_is_named(role: Path) -> None:
    (role / "meta/argument_specs.yml").unlink()
    assert role_docs.fault(role, write=False) == "roles/demo/README.md: meta/argument_specs.yml is missing"
    (role / "README.md").unlink()
    assert role_docs.fault(role, write=True) == "roles/demo/README.md: missing"
