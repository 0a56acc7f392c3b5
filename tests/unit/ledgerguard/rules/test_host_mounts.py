"""What *strict* lets a container read of the host, where the engine's directory is not below the system's."""

from __future__ import annotations

import pytest

from ledgerguard.model import Mount
from ledgerguard.refusal import Refusal
from ledgerguard.rules.host_areas import HostAreas
from ledgerguard.rules.host_mounts import check_host_path
from ledgerguard.rules.policy import Context, Policy
from tests.unit.ledgerguard.fakes import host


def check_read_only(path: str, profile: str) -> None:
    areas = HostAreas(data_root="/data/engine")
    context = Context(Policy(least_profile=profile, areas=areas), host())
    check_host_path(path, Mount("bind", path, "/x", read_only=True, recursive=False), context)


def test_strict_refuses_to_read_a_directory_that_holds_the_engines() -> None:
    with pytest.raises(Refusal, match="/data holds"):
        check_read_only("/data", "strict")


@pytest.mark.parametrize(("path", "profile"), [("/data/other", "strict"), ("/data", "standard")])
def test_a_directory_beside_it_is_read_and_in_standard_the_one_above(path: str, profile: str) -> None:
    check_read_only(path, profile)
