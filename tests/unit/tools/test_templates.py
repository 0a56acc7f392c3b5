"""When a template of images is made, and which images it says it holds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tools.bed import templates
from tools.bed.worlds import Wish


class Checkout:
    """A checkout whose images have the tag `tag`, and a count of the templates that were made for it."""

    def __init__(self, folder: Path) -> None:
        self.references = folder / "build/results/images.json"
        self.tag, self.made = "old", 0

    def build(self, kind: str, place: Path, wish: Wish) -> None:
        """What the real one does: a copy of the template before it, in which the play names what it built."""
        self.made += 1
        if wish.template:
            shutil.copytree(wish.template, place)
        else:
            place.mkdir()
        self.references.parent.mkdir(parents=True, exist_ok=True)
        self.references.write_text(json.dumps({"app": f"ledgerflow/app:{self.tag}"}))


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    checkout = Checkout(tmp_path)
    (tmp_path / "templates").mkdir()
    monkeypatch.setattr(templates, "templates_directory", lambda: tmp_path / "templates")
    monkeypatch.setattr(templates, "image_references", lambda: [checkout.tag])
    monkeypatch.setattr(templates, "contents", lambda names: [])
    monkeypatch.setattr(templates, "build", checkout.build)
    monkeypatch.setattr(templates, "REFERENCES", checkout.references)
    return checkout


def named_images(checkout: Checkout) -> dict[str, str]:
    templates.images()
    images: dict[str, str] = json.loads(checkout.references.read_text())
    return images


def test_a_template_made_from_another_names_its_own_images(checkout: Checkout) -> None:
    assert named_images(checkout) == {"app": "ledgerflow/app:old"}
    checkout.tag = "new"
    assert named_images(checkout) == {"app": "ledgerflow/app:new"}
    checkout.tag = "old"
    assert named_images(checkout) == {"app": "ledgerflow/app:old"}
    assert checkout.made == 2


def test_a_template_counts_the_ones_it_was_made_from(checkout: Checkout) -> None:
    generations = []
    for number in range(templates.GENERATIONS + 1):
        checkout.tag = str(number)
        generations.append(templates.generation(templates.images()))
    assert generations == [*range(1, templates.GENERATIONS + 1), 1]


def test_a_template_with_the_note_of_another_is_made_anew(checkout: Checkout) -> None:
    place = templates.images()
    (place / templates.NOTE).write_text(json.dumps({"template": "images-other", "generation": 1, "images": {}}))
    assert named_images(checkout) == {"app": "ledgerflow/app:old"} and checkout.made == 2


def test_a_template_whose_note_was_never_written_is_made_anew(checkout: Checkout) -> None:
    (templates.images() / templates.NOTE).unlink()
    assert named_images(checkout) == {"app": "ledgerflow/app:old"} and checkout.made == 2
    assert named_images(checkout) and checkout.made == 2
