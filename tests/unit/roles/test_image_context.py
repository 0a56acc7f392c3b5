"""What the archive of build contexts says of each file."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from roles.images.library import debian_base as base
from roles.images.library import image_context as context


def file(name: str, mode: str = "0644", link: str = "") -> dict[str, str]:
    return {"source": name, "name": f"thing/{name}", "mode": mode, "link": link}


def packed(root: Path, *files: dict[str, str]) -> dict[str, tarfile.TarInfo]:
    context.pack(root, list(files), root / "out/context.tar")
    with tarfile.open(root / "out/context.tar") as archive:
        return {member.name: member for member in archive.getmembers()}


def test_an_edit_that_leaves_the_size_alone_changes_the_time(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    first = packed(tmp_path, file("a"))["thing/a"]
    (tmp_path / "a").write_text("two")
    second = packed(tmp_path, file("a"))["thing/a"]
    assert first.size == second.size
    assert first.mtime != second.mtime


def test_who_wrote_a_file_and_when_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    packed(tmp_path, file("a", "0755"))
    before = (tmp_path / "out/context.tar").read_bytes()
    os.utime(tmp_path / "a", (5, 5))
    member = packed(tmp_path, file("a", "0755"))["thing/a"]
    assert (tmp_path / "out/context.tar").read_bytes() == before
    assert (member.uid, member.gid, member.mode) == (0, 0, 0o755)


def test_a_link_stays_a_link_even_to_nowhere(tmp_path: Path) -> None:
    member = packed(tmp_path, file("gone", "link", "nowhere"))["thing/gone"]
    assert (member.issym(), member.linkname) == (True, "nowhere")


def test_archives_of_killed_runs_go_after_a_day_and_newer_ones_stay(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    for name in ("old.tar", "old.tar.part", "new.tar"):
        (tmp_path / "out" / name).touch()
    os.utime(tmp_path / "out/old.tar", (1, 1))
    os.utime(tmp_path / "out/old.tar.part", (1, 1))
    packed(tmp_path)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["context.tar", "new.tar"]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["sh", "-c", "echo no mirror >&2; exit 4"], "no mirror\nb: mmdebstrap ended with status 4"),
        (["sh", "-c", ": > {archive}"], "b: mmdebstrap wrote nothing into {archive}"),
        (["true"], "b: mmdebstrap wrote nothing into {archive}"),
        (["sleep", "5"], "timed out"),
        (["/no/such/program"], "No such file"),
        (["sh", "-c", "echo $SOURCE_DATE_EPOCH > {archive}"], ""),
    ],
)
def test_a_base_that_could_not_be_made_is_told_with_its_last_words(tmp_path: Path, argv: list[str], said: str) -> None:
    archive = str(tmp_path / "b.tar")
    one = {"name": "b", "archive": archive, "argv": [part.replace("{archive}", archive) for part in argv]}
    told = base.make(one, str(tmp_path), 1)
    assert said.replace("{archive}", archive) in told
    assert bool(told) == bool(said)
