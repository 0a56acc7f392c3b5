"""Where a path of the host leads, what lies below it, and that a directory has one location wherever it is mounted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ledgerguard import host_paths
from ledgerguard.host_paths import (
    Table,
    is_empty,
    location,
    locations,
    only_root_changes,
    real_path,
    submounts,
    table_of,
)
from ledgerguard.refusal import LookupFailed

TABLE = table_of(
    b"27 1 254:0 / / rw - ext4 /dev/vda rw\n"
    b"30 27 0:21 / /proc rw shared:5 - proc proc rw\n"
    b"40 27 254:1 / /mnt/disk rw - ext4 /dev/vdb rw\n"
    b"41 27 254:1 /ledger /srv/ledger rw - ext4 /dev/vdb rw\n"
    b"42 27 254:1 /a\\040b\\134c /mnt/with\\040space rw - ext4 /dev/vdb rw\n"
    b"43 27 0:50 / /mnt/over rw - tmpfs tmpfs rw\n"
    b"44 43 254:1 /top /mnt/over rw - ext4 /dev/vdb rw\n"
    b"45 27 0:4 net:[4026531840] /run/netns/x rw - nsfs nsfs rw\n"
)


@pytest.mark.parametrize(
    ("path", "expected"),
    {
        "/": "254:0:/",
        "/srv": "254:0:/srv",
        "/srv/ledger": "254:1:/ledger",
        "/srv/ledger/dev/db_data": "254:1:/ledger/dev/db_data",
        "/mnt/disk/ledger/dev/db_data": "254:1:/ledger/dev/db_data",
        "/mnt/diskette": "254:0:/mnt/diskette",
        "/mnt/with space/x": "254:1:/a b\\c/x",
        "/mnt/over/x": "254:1:/top/x",  # what is mounted over another hides it
        "/run/netns/x": "0:4:/net:[4026531840]",
    }.items(),
)
def test_a_directory_has_one_location_wherever_it_is_mounted(path: str, expected: str) -> None:
    assert location(path, TABLE) == expected


def test_only_the_kernels_own_characters_end_a_line_or_a_word() -> None:
    """What is mounted may be named by anybody who makes a volume."""
    table = table_of(b"1 0 8:1 / / rw - x x rw\n2 1 8:2 /a\x0bb\x0c\r\xc2\x85 /m rw - tmpfs a\x0bb\rc rw\n")
    assert [one.point for one in table] == ["/", "/m"]
    assert location("/m/x", table) == "8:2:/a\x0bb\x0c\r\x85/x"


def test_a_table_that_holds_no_place_for_a_path_is_a_failure() -> None:
    with pytest.raises(LookupFailed, match="below none"):
        location("/srv", Table(TABLE[1:2]))


def test_paths_of_this_host_have_locations_too(tmp_path: Path) -> None:
    here = locations([str(tmp_path), str(tmp_path / "below")])
    assert here[1] == f"{here[0].rstrip('/')}/below"


def test_a_table_that_cannot_be_read_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_paths, "MOUNTS", tmp_path / "none")
    with pytest.raises(LookupFailed, match="mounts: "):
        locations(["/"])
    (tmp_path / "junk").write_text("27 1\n")
    monkeypatch.setattr(host_paths, "MOUNTS", tmp_path / "junk")
    with pytest.raises(LookupFailed, match="mounts: "):
        submounts("/")


def test_names_that_are_not_utf_8_are_read_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = (b"/", b"/m/\xff", b"/m/\xc3\xa9")
    (tmp_path / "table").write_bytes(b"".join(b"1 0 8:1 / %s rw - x x rw\n" % point for point in points))
    monkeypatch.setattr(host_paths, "MOUNTS", tmp_path / "table")
    assert submounts("/m") == ("/m/\udcff", "/m/é")


def test_mount_points_below_a_path() -> None:
    assert "/proc" in submounts("/")
    assert submounts("/proc/self/nothing") == ()


@pytest.mark.parametrize(
    "path", ["link/v/../v", "./volumes//v/.", "chain/v", "volumes/v/none/below", "to-dots/v", "loop-free/v"]
)
def test_a_path_is_resolved_as_the_system_does(tmp_path: Path, path: str) -> None:
    (tmp_path / "volumes/v").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "volumes")
    (tmp_path / "chain").symlink_to("link")
    (tmp_path / "to-dots").symlink_to("volumes/v/../../volumes")
    (tmp_path / "loop-free").symlink_to("./chain/")
    asked = f"{tmp_path}/{path}"
    assert real_path(asked) == os.path.realpath(asked)


def test_links_without_an_end_are_a_failure(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(LookupFailed, match="links"):
        real_path(f"{tmp_path}/loop/x")


@pytest.mark.parametrize("below", ["self/root/srv", "self/cwd/x", "thread-self/root", "self/fd/3/x", "1/root/srv/y"])
def test_a_link_that_is_another_for_each_process_is_not_followed(tmp_path: Path, below: str) -> None:
    (tmp_path / "link").symlink_to(f"/proc/{below}")
    assert real_path(f"{tmp_path}/link/z") == f"/proc/{below}/z"


def test_an_empty_directory_and_one_that_cannot_be_read(tmp_path: Path) -> None:
    assert is_empty(str(tmp_path))
    (tmp_path / "x").touch()
    assert not is_empty(str(tmp_path))
    with pytest.raises(LookupFailed):
        is_empty(str(tmp_path / "none"))


def test_who_may_swap_a_component_of_a_path(tmp_path: Path) -> None:
    assert only_root_changes("/usr/bin/nothing/here") is (Path("/usr").stat().st_uid == 0)
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    assert not only_root_changes(str(tmp_path / "open/below"))
    with pytest.raises(LookupFailed):
        only_root_changes("/etc/passwd/x")
