"""Templates of the test bed: which one is used, and which images the tests are told to use."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tools.bed import templates
from tools.bed.worlds import Wish


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No world is made here: a template is an empty directory."""
    directory = tmp_path / "templates"
    directory.mkdir()
    monkeypatch.setattr(templates, "templates_directory", lambda: directory)
    monkeypatch.setattr(templates, "REFERENCES", tmp_path / "results/images.json")
    monkeypatch.setattr(templates, "build", copy_predecessor)
    return directory


def copy_predecessor(_kind: str, place: Path, wish: Wish) -> None:
    """What making one does with files: the new one starts as a copy of the one before it."""
    if wish.template:
        shutil.copytree(wish.template, place)
    else:
        place.mkdir()


def use_at(path: Path, seconds: float) -> None:
    templates.use_record(path).touch()
    os.utime(templates.use_record(path), (seconds, seconds))


def test_tests_are_given_the_images_of_this_source_whatever_an_earlier_run_left() -> None:
    wanted = templates.image_references()
    templates.REFERENCES.parent.mkdir()
    for stale in ('{"app": "ledgerflow/app:of-yesterday"}', "{"):
        templates.REFERENCES.write_text(stale)
        templates.images()
        assert json.loads(templates.REFERENCES.read_text()) == wanted


def test_a_template_counts_those_before_it_and_is_made_from_nothing_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    generations = []
    for number in range(templates.GENERATIONS + 1):
        monkeypatch.setattr(templates, "image_references", lambda number=number: {"app": f"ledgerflow/app:{number}"})
        place = templates.images()
        assert json.loads(templates.REFERENCES.read_text()) == {"app": f"ledgerflow/app:{number}"}
        generations.append(templates.generation(place))
    assert generations == [*range(1, templates.GENERATIONS + 1), 1]


def test_a_note_that_a_kill_cut_off_counts_as_none() -> None:
    place = templates.images()
    (place / templates.NOTE).write_text("{")
    assert templates.generation(place) == 1
    assert templates.images() == place
    assert templates.read_note(place) == {"template": place.name, "generation": 1}


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
