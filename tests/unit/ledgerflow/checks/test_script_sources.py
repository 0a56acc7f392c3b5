"""Scripts are taken out of the files that hold them, on the lines of those files."""

from __future__ import annotations

from pathlib import PurePath

import pytest

from ledgerflow.checks.script_sources import (
    COMPOSE,
    MAKEFILE,
    PLAYBOOK,
    SHELL,
    WORKFLOW,
    Removal,
    Script,
    kind_of,
    removals_of,
    scripts_of,
)  # fmt: skip


@pytest.mark.parametrize(("path", "kind"), [
    ("compose.yml", COMPOSE), ("x/docker-compose.prod.yaml", COMPOSE), ("roles/a/templates/compose.yml.j2", COMPOSE),
    ("compose-dev.yml", COMPOSE), ("composer.json", ""), (".github/workflows/ci.yml", WORKFLOW),
    ("x/action.yml", WORKFLOW),
    ("Makefile", MAKEFILE), ("x/rules.mk", MAKEFILE), ("a.sh", SHELL), ("roles/a/tasks/main.yml", PLAYBOOK),
    ("playbooks/tasks/x.yml", PLAYBOOK), ("docs/a.md", ""), ("inventory/dev/hosts.yml", ""),
])  # fmt: skip
def test_a_file_is_known_by_its_place(path: str, kind: str) -> None:
    assert kind_of(PurePath(path), "") == kind


@pytest.mark.parametrize(("first", "kind"), [
    ("#!/bin/sh", SHELL), ("#!/usr/bin/env bash", SHELL), ("#!/usr/bin/env -S bash -e", SHELL), ("#!/usr/bin/python3",
    ""),
])  # fmt: skip
def test_a_script_is_known_by_its_first_line(first: str, kind: str) -> None:
    assert kind_of(PurePath("scripts/x"), first + "\n") == kind


def test_a_workflows_steps() -> None:
    text = """jobs:
  one:
    steps:
      - run: docker one ${{ github.ref }}
      - run: |
          two
          three
      - {run: print(1), shell: python}
      - {run: four, shell: "bash -e {0}"}
"""
    assert scripts_of(WORKFLOW, text) == [
        Script(4, "docker one ${PUT_IN_LATER}"), Script(6, "two\nthree\n"), Script(9, "four"),
    ]  # fmt: skip


def test_a_makefiles_recipes() -> None:
    text = (
        "DOCKER = docker\nALL := $(DOCKER) compose\nx:\n\t@$(ALL) down \\\n\t  -v $$x\n\n\t-echo $@ $(shell ls $(y))\n"
    )
    assert scripts_of(MAKEFILE, text) == [
        Script(4, "docker compose down \\\n  -v $x"), Script(7, "echo ${PUT_IN_LATER} ${PUT_IN_LATER}"),
    ]  # fmt: skip


def test_a_playbooks_commands_and_modules() -> None:
    text = """- hosts: all
  tasks:
    - ansible.builtin.command:
        argv: [docker, volume, rm, "{{ x }}"]
    - block:
        - shell: |
            docker a
        - command: {cmd: docker b}
    - community.docker.docker_volume: {name: x, state: absent}
    - community.docker.docker_volume: {name: x, state: present}
    - community.docker.docker_prune:
        volumes: yes
    - community.docker.docker_compose_v2: {state: absent, remove_volumes: false}
"""
    assert sorted(scripts_of(PLAYBOOK, text), key=lambda one: one.line) == [
        Script(4, "docker volume rm '${PUT_IN_LATER}'"), Script(7, "docker a\n"), Script(8, "docker b"),
    ]  # fmt: skip
    assert removals_of(PLAYBOOK, text) == [
        Removal(9, "docker_volume with state: absent"), Removal(12, "docker_prune with volumes: yes"),
    ]  # fmt: skip
