"""PostgreSQL's memory settings from the memory its container is given, and how its administrator's psql is asked.

A module of its own because it is the arithmetic of PostgreSQL's own documentation and of no other service; and because
playbooks and the guard's declarations must mean the same words by a question.
"""

from __future__ import annotations

from typing import Any


def postgres_sizing(memory_mb: int, cores: int) -> dict[str, Any]:
    """Settings for a server that has `memory_mb` megabytes and `cores` processors to itself.

    A quarter for shared buffers and most of the rest as the planner's idea of the page cache; sort memory is what is
    left, shared by as many sorts as there are connections; GIN indexes build faster with little maintenance memory.
    """
    memory = max(int(memory_mb), 128)
    connections = 40 if memory < 2048 else 100
    shared = memory // 4
    return {
        "max_connections": connections,
        "shared_buffers": f"{shared}MB",
        "effective_cache_size": f"{memory * 6 // 10}MB",
        "work_mem": f"{max(2, min(64, (memory - shared) // connections // 2))}MB",
        "maintenance_work_mem": f"{max(16, min(64, memory // 16))}MB",
        "max_wal_size": f"{max(256, min(4096, memory))}MB",
        "max_worker_processes": max(4, int(cores)),
        "max_parallel_workers_per_gather": max(1, min(4, int(cores) // 2)),
        "shm_mb": max(64, memory // 8),
    }


def postgres_query_pattern(statement: str, database: str = "{name}") -> dict[str, list[str]]:
    """The command that asks one statement inside the container; without a database, the guard's pattern of it."""
    return {"argv": ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement]}
