"""Which differences between a container and its declaration are the engine's own."""

from __future__ import annotations

from typing import Any

import pytest

from ledgerguard.model import Container
from ledgerguard.rules.container_description import find_host_fault


def container(host: dict[str, Any], is_recorded: bool) -> Container:
    return Container("db", "i", (), (), "", (), "", (), (), host, is_recorded=is_recorded)


@pytest.mark.parametrize("host", [{"runtime": "other"}, {"memoryswap": -1}, {"pidslimit": -1}])
def test_what_the_engine_chose_is_no_fault_of_a_container_that_it_recorded(host: dict[str, Any]) -> None:
    assert find_host_fault(container(host, is_recorded=True), {}) == ""


@pytest.mark.parametrize("host", [{"runtime": "other"}, {"memoryswap": -1}])
def test_the_same_in_a_request_is_a_fault(host: dict[str, Any]) -> None:
    (key,) = host
    assert find_host_fault(container(host, is_recorded=False), {}).startswith(f"{key} ")


def test_another_value_than_declared_is_a_fault_of_a_recorded_container_too() -> None:
    fault = find_host_fault(container({"runtime": "other"}, is_recorded=True), {"Runtime": "declared"})
    assert fault == "runtime other, declared declared"
