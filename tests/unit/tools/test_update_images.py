"""images/versions.yml after its digests were resolved anew."""

from __future__ import annotations

import yaml

from tools import update_images

DIGEST = f"sha256:{'c' * 64}"


def test_every_official_image_is_found() -> None:
    text = update_images.VERSIONS.read_text()
    images = yaml.safe_load(text)["images"].values()
    pulls = [ways["registry"]["pull"] for ways in images if "pull" in ways.get("registry", {})]
    assert update_images.image_places(text) == [f"{pull['repository']}:{pull['tag']}" for pull in pulls]


def test_a_resolved_digest_and_the_date_change_and_nothing_else_does() -> None:
    text = update_images.VERSIONS.read_text()
    first, *others = update_images.image_places(text)
    after = update_images.update_digests(text, {first: DIGEST}, "2030-01-02")
    changed = [new for old, new in zip(text.splitlines(), after.splitlines(), strict=True) if old != new]
    assert [line.strip() for line in changed] == ['refreshed: "2030-01-02"', f"digest: {DIGEST}"]
    assert update_images.image_places(after) == [first, *others]


def test_an_image_without_a_digest_gets_one() -> None:
    text = 'refreshed: "x"\npull:\n  repository: a/b\n  tag: "1.2"\n  digest: null\n'
    assert yaml.safe_load(update_images.update_digests(text, {"a/b:1.2": DIGEST}, "y"))["pull"]["digest"] == DIGEST
