"""Templates of the test bed: which one is used, and which images the tests are told to use."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tools.bed import templates


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No world is made here: a template is an empty directory."""
    directory = tmp_path / "templates"
    directory.mkdir()
    monkeypatch.setattr(templates, "templates_directory", lambda: directory)
    monkeypatch.setattr(templates, "REFERENCES", tmp_path / "results/images.json")
    monkeypatch.setattr(templates, "build", lambda _kind, place, _wish: place.mkdir())
    return directory


def use_at(path: Path, seconds: float) -> None:
    templates.use_record(path).touch()
    os.utime(templates.use_record(path), (seconds, seconds))


def test_tests_are_given_the_images_of_this_source_whatever_an_earlier_run_left() -> None:
    wanted = templates.image_references()
    templates.REFERENCES.parent.mkdir()
    for stale in ('{"app": "ledgerflow/app:of-yesterday"}', "{"):
        templates.REFERENCES.write_text(stale)
        place = templates.images()
        (place / "images.json").unlink()  # killed before it was written
        assert json.loads(templates.REFERENCES.read_text()) == wanted


def test_the_using_of_a_template_changes_nothing_of_it_while_another_copies_it(directory: Path) -> None:
    place = templates.images()
    os.utime(place, (1, 1))
    assert templates.images() == place
    assert place.stat().st_mtime == 1
    assert templates.last_used(place) > 1


def test_the_last_used_templates_of_a_kind_stay(directory: Path) -> None:
    places = [directory / f"stack-{templates.FORMAT}{number}" for number in range(templates.KEPT + 2)]
    for number, place in enumerate(places):
        place.mkdir()
        use_at(place, 1000 - number)
    (directory / "stack-0.other-layout").mkdir()
    (directory / "images-0.other-kind").mkdir()
    templates.retire("stack")
    assert {path.name for path in directory.glob("*-*") if not path.name.startswith(".")} == {
        "images-0.other-kind", *(place.name for place in places[: templates.KEPT]),
    }  # fmt: skip
    assert len(list(directory.glob(".*.used"))) == templates.KEPT
