"""Whatever memory a server is given, its settings fit into it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filter_plugins.stack import FilterModule
from ledgerflow.stack.postgres import postgres_sizing

MEMORY, CORES = st.integers(256, 1048576), st.integers(1, 256)


def mb(value: str | int) -> int:
    return int(str(value).removesuffix("MB"))


@given(MEMORY, CORES)
def test_what_all_connections_may_use_at_once_fits_into_the_memory(memory: int, cores: int) -> None:
    made = postgres_sizing(memory, cores)
    used = (
        mb(made["shared_buffers"]) + made["max_connections"] * mb(made["work_mem"]) + mb(made["maintenance_work_mem"])
    )
    assert used <= memory
    assert mb(made["effective_cache_size"]) < memory


@given(MEMORY, CORES)
def test_every_figure_is_one_that_postgresql_takes(memory: int, cores: int) -> None:
    made = postgres_sizing(memory, cores)
    assert mb(made["shared_buffers"]) >= 16
    assert mb(made["work_mem"]) >= 1
    assert 16 <= mb(made["maintenance_work_mem"]) <= 64  # more makes GIN indexes slower
    assert mb(made["max_wal_size"]) >= 2 * 16
    assert 1 <= made["max_parallel_workers_per_gather"] < made["max_worker_processes"] <= max(4, cores)
    assert 64 <= made["shm_mb"] <= max(64, memory)


@given(MEMORY, st.integers(0, 100000), CORES)
def test_more_memory_never_means_smaller_buffers(memory: int, more: int, cores: int) -> None:
    small, large = postgres_sizing(memory, cores), postgres_sizing(memory + more, cores)
    for name in ("shared_buffers", "effective_cache_size", "maintenance_work_mem", "max_wal_size", "shm_mb"):
        assert mb(small[name]) <= mb(large[name])


@pytest.mark.parametrize(("memory", "cores", "expected"), [
    (1024, 2, {"shared_buffers": "256MB", "work_mem": "9MB", "max_connections": 40, "max_worker_processes": 4}),
    (2047, 2, {"max_connections": 40}),
    (2048, 2, {"max_connections": 100, "shared_buffers": "512MB"}),
    (65536, 16, {"shared_buffers": "16384MB", "work_mem": "64MB", "max_parallel_workers_per_gather": 4}),
    (1, 1, {"shared_buffers": "32MB", "max_parallel_workers_per_gather": 1}),
])  # fmt: skip
def test_these_servers_get_these_settings(memory: int, cores: int, expected: dict[str, str | int]) -> None:
    made = postgres_sizing(memory, cores)
    assert {name: made[name] for name in expected} == expected


def test_numbers_that_ansible_hands_over_as_text_are_taken() -> None:
    assert FilterModule().filters()["postgres_sizing"]("1024", "2") == postgres_sizing(1024, 2)
