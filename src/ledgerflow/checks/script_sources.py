"""Takes the shell scripts out of the files that hold them: shell files, workflows, Makefiles, playbooks.

A module of its own because each of these wraps its scripts in another way, and a finding must name the line of the
file. What a tool puts in when it runs (`${{ … }}`, `{{ … }}`, `$(…)` of make) becomes a variable that nobody knows.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath

import yaml

from ledgerflow.checks.compose import elements, entries, is_true, line_of

COMPOSE, WORKFLOW, MAKEFILE, SHELL, PLAYBOOK = "compose", "workflow", "makefile", "shell", "playbook"
_COMPOSE_NAME = re.compile(r"(docker-)?compose([._-][\w.-]*)?\.ya?ml(\.j2)?")
_PLAYBOOKS = {"playbooks", "tasks", "handlers", "molecule"}
_SHELL_LINE = re.compile(r"#!\s*(\S*/env\s+(-S\s+)?)?(\S*/)?(sh|bash|dash|ash|zsh|ksh)\b")
_VALUES = frozenset({"loop", "vars"})  # of a task: what it is given, and runs nothing by itself
_RUNS = frozenset({"command", "shell", "raw"})  # Ansible's modules that run a command line
_PUT_IN = re.compile(r"\$\{\{.*?\}\}|\{\{.*?\}\}", re.DOTALL)
_MAKE = re.compile(r"\$(\$|\(([\w-]+)\)|\{([\w-]+)\}|\((?:[^()]|\([^()]*\))*\)|[@<^?*%+|])")
_MAKE_VARIABLE = re.compile(
    r"^(?:[ ]*)(?:export |override )*([A-Za-z_]\w*)\s*([:?+]{0,3}=)\s*((?:[^\\\n]|\\\n|\\.)*)$", re.MULTILINE
)
_INLINE = re.compile(r"^[^\s#:=][^#:=]*::?(?!=)[^;=#]*;")  # a rule with its recipe on the same line
_MAKE_SHELL = re.compile(r"\$[({]shell ((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)[)}]")


@dataclass(frozen=True)
class Script:
    """A script, and the line of its file on which it begins."""

    line: int
    text: str


@dataclass(frozen=True)
class Removal:
    """A task of a playbook that removes volumes without a command line."""

    line: int
    what: str


def kind_of(path: PurePath, text: str) -> str:
    """What a file is to this check; empty for what holds no script and no compose project."""
    name, parts = path.name, set(path.parts)
    if _COMPOSE_NAME.fullmatch(name):
        return COMPOSE
    is_yaml = name.endswith((".yml", ".yaml"))
    if is_yaml and (".github" in parts or name.startswith("action.")):
        return WORKFLOW
    if name in {"Makefile", "GNUmakefile", "makefile"} or name.endswith(".mk"):
        return MAKEFILE
    if name.endswith((".sh", ".bash")) or _SHELL_LINE.match(text):
        return SHELL
    return PLAYBOOK if is_yaml and parts & _PLAYBOOKS else ""


def scripts_of(kind: str, text: str) -> list[Script]:
    """The scripts in a file; yaml.YAMLError for YAML that is none."""
    if kind == SHELL:
        return [Script(1, unknown_values(text))]
    if kind == MAKEFILE:
        return list(_recipes(text))
    if kind == WORKFLOW:
        return [script for node in mappings(text) for script in _step(node)]
    if kind == PLAYBOOK:
        return [script for node in mappings(text) for script in _task(node)]
    return []


def unknown_values(text: str) -> str:
    """Expressions that are put in later, as variables of the same number of lines."""
    return _PUT_IN.sub(lambda match: "${PUT_IN_LATER}" + "\n" * match[0].count("\n"), text)


def mappings(text: str) -> Iterator[yaml.MappingNode]:
    """Every mapping of a YAML file."""
    waiting: list[yaml.Node] = [node for node in yaml.compose_all(text, Loader=yaml.SafeLoader) if node is not None]
    visited: set[int] = set()
    while waiting:
        node = waiting.pop(0)
        if id(node) in visited:  # by an alias
            continue
        visited.add(id(node))
        if isinstance(node, yaml.MappingNode):
            yield node
            waiting += [child for key, child in node.value if key.value not in _VALUES]
        else:
            waiting += elements(node)


def _step(node: yaml.MappingNode) -> Iterator[Script]:
    attributes = entries(node)
    run, shell = attributes.get("run"), attributes.get("shell")
    words = str(shell.value).split() if isinstance(shell, yaml.ScalarNode) else ["bash"]
    if isinstance(run, yaml.ScalarNode) and _SHELL_LINE.match(f"#!/bin/{(words or ['bash'])[0]}"):
        yield _scalar(run)


def _scalar(node: yaml.ScalarNode) -> Script:
    """A block begins on the line after its mark."""
    return Script(line_of(node) + (node.style in {"|", ">"}), unknown_values(str(node.value)))


def _task(node: yaml.MappingNode) -> Iterator[Script]:
    for name, child in entries(node).items():
        if name.rpartition(".")[2] not in _RUNS:
            continue
        attributes = entries(child)
        if isinstance(child, yaml.ScalarNode):
            yield _scalar(child)
        elif isinstance(attributes.get("cmd"), yaml.ScalarNode):
            yield _scalar(attributes["cmd"])  # type: ignore[arg-type]  # looked at in the line above
        elif words := [str(entry.value) for entry in elements(attributes.get("argv"))]:
            yield Script(line_of(attributes["argv"]), shlex.join(unknown_values(word) for word in words))


def removals_of(kind: str, text: str) -> list[Removal]:
    """Tasks that remove volumes by a module of Ansible's."""
    return [removal for node in mappings(text) for removal in _removal(node)] if kind == PLAYBOOK else []


def _removal(node: yaml.MappingNode) -> Iterator[Removal]:
    removing_states: Mapping[str, tuple[str, str]] = {
        "docker_volume": ("state", "absent"),
        "docker_prune": ("volumes", "true"),
        "docker_compose_v2": ("remove_volumes", "true"),
    }
    for name, child in entries(node).items():
        module = name.rpartition(".")[2]
        key, bad = removing_states.get(module, ("", ""))
        argument = entries(child).get(key)
        if isinstance(argument, yaml.ScalarNode) and (
            argument.value == bad or (bad == "true" and is_true(str(argument.value)))
        ):
            yield Removal(line_of(argument), f"{module} with {key}: {argument.value}")


def _recipes(text: str) -> Iterator[Script]:
    variables = _make_variables(text)
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        first = number
        number += 1
        inline = _INLINE.match(lines[first])
        if not lines[first].startswith("\t") and not inline:
            continue
        while lines[number - 1].endswith("\\") and number < len(lines):
            number += 1
        recipe = "\n".join(line.removeprefix("\t") for line in lines[first:number])
        recipe = recipe[inline.end() :] if inline else recipe
        yield Script(first + 1, _MAKE.sub(lambda match: _expand_make_variable(match, variables), recipe.lstrip("@-+ ")))


def shell_functions_of(kind: str, text: str) -> list[Script]:
    """What a Makefile runs while it is read: `$(shell …)`, wherever it stands."""
    if kind != MAKEFILE:
        return []
    variables = _make_variables(text)
    return [
        Script(
            text.count("\n", 0, call.start()) + 1,
            _MAKE.sub(lambda match: _expand_make_variable(match, variables), call[1]),
        )
        for call in _MAKE_SHELL.finditer(text)
    ]


def _make_variables(text: str) -> dict[str, str]:
    """What make's variables are; one that is given several values is none of them for sure."""
    variables = {"MAKE": "make"}
    for match in _MAKE_VARIABLE.finditer(text):
        name, operator, content = match[1], match[2], match[3].strip()
        if operator == "+=":
            variables[name] = f"{variables.get(name, '')} {content}".strip()
        else:
            variables[name] = content if variables.get(name, content) == content else "$(PUT_IN_LATER)"
    return variables


def _expand_make_variable(match: re.Match[str], variables: Mapping[str, str], depth: int = 0) -> str:
    if match[1] == "$":
        return "$"
    content = variables.get(match[2] or match[3] or "")
    if content is None or depth > 4:
        return "${PUT_IN_LATER}"
    return _MAKE.sub(lambda inner: _expand_make_variable(inner, variables, depth + 1), content)
