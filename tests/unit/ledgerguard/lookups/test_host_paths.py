"""Where a path of the host leads, what lies below it, and that a directory has one location wherever it is mounted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ledgerguard.lookups import host_paths, mount_table
from ledgerguard.lookups.host_paths import (
    exists,
    is_empty,
    location,
    locations,
    only_root_changes,
    real_path,
    submounts,
)
from ledgerguard.lookups.mount_table import MountTable, parse_mountinfo
from ledgerguard.refusal import LookupFailed

TABLE = parse_mountinfo(
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
    table = parse_mountinfo(b"1 0 8:1 / / rw - x x rw\n2 1 8:2 /a\x0bb\x0c\r\xc2\x85 /m rw - tmpfs a\x0bb\rc rw\n")
    assert [one.point for one in table] == ["/", "/m"]
    assert location("/m/x", table) == "8:2:/a\x0bb\x0c\r\x85/x"


def test_a_table_that_holds_no_place_for_a_path_is_a_failure() -> None:
    with pytest.raises(LookupFailed, match="below none"):
        location("/srv", MountTable(TABLE[1:2]))


def test_paths_of_this_host_have_locations_too(tmp_path: Path) -> None:
    here = locations([str(tmp_path), str(tmp_path / "below")])
    assert here[1] == f"{here[0].rstrip('/')}/below"


def test_a_table_that_cannot_be_read_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mount_table, "MOUNTS", tmp_path / "none")
    with pytest.raises(LookupFailed, match="mounts: "):
        locations(["/"])
    (tmp_path / "junk").write_text("27 1\n")
    monkeypatch.setattr(mount_table, "MOUNTS", tmp_path / "junk")
    with pytest.raises(LookupFailed, match="mounts: "):
        submounts("/")


def test_names_that_are_not_utf_8_are_read_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = (b"/", b"/m/\xff", b"/m/\xc3\xa9")
    (tmp_path / "table").write_bytes(b"".join(b"1 0 8:1 / %s rw - x x rw\n" % point for point in points))
    monkeypatch.setattr(mount_table, "MOUNTS", tmp_path / "table")
    assert set(submounts("/m")) == {"/m/\udcff", "/m/é"}


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


def test_what_is_below_a_path_is_found_in_order_and_nothing_beside_it() -> None:
    lines = [
        b"1 0 8:1 / %s rw - x x rw" % point for point in (b"/", b"/m/b", b"/m", b"/ma", b"/m/a/c", b"/m/a", b"/m-")
    ]
    table = parse_mountinfo(b"\n".join(lines))
    assert list(table.below("/m")) == ["/m/a", "/m/a/c", "/m/b"]
    assert list(table.below("/m/a/")) == ["/m/a/c"]
    assert list(table.below("/none")) == []
    assert set(table.below("/")) == {"/m", "/m-", "/m/a", "/m/a/c", "/m/b", "/ma"}


def test_the_type_of_a_file_system_comes_after_the_optional_fields() -> None:
    line = b"30 27 0:21 / /proc rw,nosuid shared:5 master:1 - proc - rw\n31 27 8:1 /- /- rw - ext4 /dev/x rw\n"
    assert [(one.point, one.kind) for one in parse_mountinfo(line)] == [("/proc", "proc"), ("/-", "ext4")]


def test_file_systems_are_those_that_hold_a_path_and_those_below_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "table").write_bytes(
        b"1 0 8:1 / / rw - ext4 x rw\n2 1 0:2 / /c rw - tmpfs x rw\n3 2 0:3 / /c/p rw - proc x rw\n"
        b"4 2 0:4 / /c/p rw - overlay x rw\n"
    )
    monkeypatch.setattr(mount_table, "MOUNTS", tmp_path / "table")
    assert host_paths.file_systems("/c/x") == (("/c", "tmpfs"),)
    assert host_paths.file_systems("/c") == (("/c", "tmpfs"), ("/c/p", "overlay"))  # the last one mounted there counts
    assert host_paths.file_systems("/c/p/1") == (("/c/p", "overlay"),)


def test_an_ordinary_file_is_read_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mount_table, "MOUNTS", tmp_path / "table")
    for point in (b"/a", b"/b"):
        (tmp_path / "table").write_bytes(b"1 0 8:1 / / rw - ext4 x rw\n2 1 0:2 / %s rw - tmpfs x rw\n" % point)
        assert submounts("/") == (point.decode(),)


def test_the_kernels_table_is_read_again_when_a_mount_has_changed_and_only_then(tmp_path: Path) -> None:
    """In a mount namespace of its own; a real mount, as only the kernel tells of one."""
    script = (
        "import subprocess, sys\n"
        "from ledgerguard.lookups import host_paths as paths, mount_table\n"
        "place, reads, read = sys.argv[1], [], mount_table._read_all\n"
        "mount_table._read_all = lambda descriptor: reads.append(1) or read(descriptor)\n"
        "before = [paths.submounts(place) for _ in range(3)]\n"
        "subprocess.run(['mount', '-t', 'tmpfs', 'tmpfs', place + '/m'], check=True)\n"
        "during = [paths.submounts(place) for _ in range(3)]\n"
        "subprocess.run(['umount', place + '/m'], check=True)\n"
        "after = [paths.submounts(place) for _ in range(3)]\n"
        "print(before == after == [()] * 3, during == [(place + '/m',)] * 3, len(reads))\n"
    )
    (tmp_path / "m").mkdir()
    argv = ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", script, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(host_paths.__file__).parents[2])}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)
    if "Operation not permitted" in done.stderr:
        pytest.skip("no mount namespace here: needs root, until the tests have a bed of their own")
    assert done.stdout.split() == ["True", "True", "3"], done.stderr


def test_something_is_there_or_not_and_a_loop_of_links_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    found = {name: exists(str(tmp_path / name)) for name in ("file", "none", "dangling", "file/below", "")}
    assert found == {"file": True, "none": False, "dangling": False, "file/below": False, "": True}
    with pytest.raises(LookupFailed):
        exists(str(tmp_path / "loop"))
