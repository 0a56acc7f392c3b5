"""Reads shell scripts into the commands they run, with the line of each.

A module of its own because a check that looks for words in a script finds comments and messages, and misses
`"$COMPOSE" down "-v"`, a here-document for ssh, or a command behind sudo, xargs and `sh -c`. The words come from
`shell_words`; this follows what runs what: wrappers, shells, aliases, functions, input. It runs nothing.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tree_sitter import Node

from ledgerflow.checks.shell_words import (
    Fields,
    Scope,
    as_script,
    descend,
    is_known,
    parse,
    product,
    readable,
    text_of,
    unknown,
)  # fmt: skip

SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})
# Programs that run the command after their own options; those options that take a value of their own.
_WRAPPERS: Mapping[str, frozenset[str]] = {
    "sudo": frozenset({"-u", "-g", "-h", "-p", "-C", "-D", "-R", "-T", "-U", "--user", "--group"}),
    "doas": frozenset({"-u", "-C"}), "env": frozenset({"-u", "-C", "--unset", "--chdir"}),
    "nice": frozenset({"-n", "--adjustment"}), "ionice": frozenset({"-c", "-n", "-p"}), "nohup": frozenset(),
    "exec": frozenset({"-a"}), "command": frozenset(), "builtin": frozenset(), "setsid": frozenset(),
    "stdbuf": frozenset({"-i", "-o", "-e"}), "timeout": frozenset({"-k", "-s", "--signal", "--kill-after"}),
    "xargs": frozenset({"-n", "-I", "-P", "-L", "-d", "-a", "-s", "-E", "--max-args", "--max-procs", "--arg-file"}),
    "parallel": frozenset({"-j", "-n"}), "flock": frozenset({"-w", "-E", "--timeout"}), "unshare": frozenset(),
    "chronic": frozenset(), "time": frozenset({"-f", "-o"}), "unbuffer": frozenset(), "caffeinate": frozenset(),
    "coproc": frozenset(), "watch": frozenset({"-n", "--interval"}), "busybox": frozenset(), "chroot": frozenset(),
    "noglob": frozenset(), "nocorrect": frozenset(), "runuser": frozenset({"-u", "-g"}), "setpriv": frozenset(),
    "nsenter": frozenset({"-t"}), "systemd-run": frozenset({"-p", "-u", "--unit"}), "strace": frozenset({"-o", "-e"}),
    "taskset": frozenset(), "chrt": frozenset(), "pkexec": frozenset({"--user"}), "gosu": frozenset(),
    "prlimit": frozenset(), "su-exec": frozenset(), "tini": frozenset(), "dumb-init": frozenset(),
    "faketime": frozenset(), "ip": frozenset(),
    "start-stop-daemon": frozenset({"--exec", "-x"}), "dbus-run-session": frozenset(),
    "xvfb-run": frozenset(), "numactl": frozenset(), "setarch": frozenset(), "chpst": frozenset({"-u"}),
}  # fmt: skip
_RUN_BY_WRAPPERS = frozenset({"docker", "docker-compose", "podman", "ledger_docker", "eval", *SHELLS})
_WORDS_BEFORE = {"timeout": 1, "flock": 1, "chroot": 1}  # how many words of its own stand before the command
_FEEDS = frozenset({"xargs", "parallel"})  # add words of their input
_SSH_VALUED = frozenset(f"-{letter}" for letter in "BbcDEeFIiJLlmOopQRSWw")
_SHELL_VALUED = frozenset({"-o", "+o", "-O", "+O", "--rcfile", "--init-file"})
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\+?=(.*)", re.DOTALL)
_INPUT = frozenset({"-", "/dev/stdin", "/dev/fd/0"})
_FED = unknown("{}", several=True)
_DEPTH = 8  # of scripts inside words inside scripts


@dataclass(frozen=True)
class Invocation:
    """A command that a script runs: its words as they are written, and the line it begins on.

    `values` are the same words with marks for what nobody knows; without a `program` the words are only a list so far.
    """

    line: int
    words: tuple[str, ...]
    values: Fields = ()
    is_program: bool = True


@dataclass(frozen=True)
class _Input:
    """What a command reads: the line it begins on, and the text; no text where nobody knows it."""

    line: int
    text: str | None


@dataclass(frozen=True)
class _Call:
    """A program that is about to run: its arguments, its line, and what it reads."""

    program: str
    arguments: Fields
    line: int
    inputs: Sequence[_Input]
    depth: int


@dataclass
class _Reader:
    """One script, or the body of one function for one call."""

    scope: Scope
    first_line: int
    depth: int
    functions: dict[str, Node] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    called: set[str] = field(default_factory=set)
    commands: list[Invocation] = field(default_factory=list)


def remarks(script: str) -> dict[int, str]:
    """Line → the text of its comment."""
    comments = (node for node in descend(parse(script)) if node.type == "comment")
    return {node.start_point.row + 1: text_of(node).lstrip("#").strip() for node in comments}


def unreadable_lines(script: str) -> list[int]:
    """Lines that the grammar does not know, so that what they run is not known either."""
    return sorted(
        {node.start_point.row + 1 for node in descend(parse(script)) if node.type == "ERROR" or node.is_missing}
    )


def invocations(script: str, first_line: int = 1) -> list[Invocation]:
    """Every command the script may run, also in substitutions, here-documents for a shell, `sh -c`, xargs and ssh."""
    return _read(script, first_line, 0, None, {}, {})


def program_name(program: str) -> str:
    """A program's name without its directory."""
    return program.rpartition("/")[2] if is_known(program) else re.split(r"/(?=[^\ue002]*$)", program)[-1]


# --- scripts and their commands -------------------------------------------------------------------------------------


def _read(
    script: str, line: int, depth: int, parent: Scope | None, functions: Mapping[str, Node], aliases: Mapping[str, str],
    arguments: Fields | None = None,
) -> list[Invocation]:  # fmt: skip
    if depth > _DEPTH:
        return [Invocation(line, ("…",), (unknown("…", several=True),))]
    root = parse(script)
    scope = Scope(root, None if arguments is None else [arguments], parent)
    reader = _Reader(scope, line, depth, dict(functions), dict(aliases))
    for node in descend(root):
        if node.type == "function_definition":
            reader.functions[text_of(node.child_by_field_name("name") or node)] = node
        elif node.type == "command" and text_of(node.child_by_field_name("name") or node) == "alias":
            for words in product(scope.fields(word) for word in node.children_by_field_name("argument")):
                reader.aliases |= {name: body for name, _, body in (word.partition("=") for word in words) if body}
    _walk(reader, root)
    for name, function in reader.functions.items():
        if name not in reader.called and name not in functions:
            _walk(reader, function, inside=True)
    return reader.commands


def _walk(reader: _Reader, root: Node, inside: bool = False) -> None:
    """Every command below a node; bodies of functions wait for their calls."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.type == "function_definition" and not (inside and node.id == root.id):
            continue
        if node.type == "command":
            _command(reader, node)
        elif node.type == "array":
            line = reader.first_line + node.start_point.row
            for words in product(reader.scope.fields(child) for child in node.named_children):
                if words and is_known(words[0]):
                    _run(reader, words, line, [], is_program=False)
        waiting += reversed(node.children)


def _command(reader: _Reader, node: Node) -> None:
    name = node.child_by_field_name("name")
    if name is None:
        return
    words = [name.named_children[0] if name.named_children else name, *node.children_by_field_name("argument")]
    words += _words_behind_redirections(node)
    line = reader.first_line + node.start_point.row
    inputs = list(_inputs(reader, node))
    for fields in product(_word(reader.scope, word) for word in _join_continued(node, words)):
        if fields:
            _run(reader, fields, line, inputs)


def _words_behind_redirections(node: Node) -> Iterator[Node]:
    """Words of the command that the grammar gives to a redirection before them: `docker >/dev/null volume rm db`."""
    statement = node.parent
    if statement is None or statement.type != "redirected_statement":
        return
    for redirect in statement.children_by_field_name("redirect"):
        yield from redirect.children_by_field_name("destination")[1:]
        yield from redirect.children_by_field_name("argument")


def _join_continued(node: Node, words: Sequence[Node]) -> Iterator[list[Node]]:
    """Words, each as its nodes: the grammar takes a line's continuation inside of one for its end."""
    source, group = node.text or b"", [words[0]]
    for word in words[1:]:
        if source[group[-1].end_byte - node.start_byte : word.start_byte - node.start_byte] == b"\\\n":
            group.append(word)
        else:
            yield group
            group = [word]
    yield group


def _word(scope: Scope, nodes: Sequence[Node]) -> list[Fields]:
    if len(nodes) == 1:
        return scope.fields(nodes[0])
    return [("".join(words),) for words in product(scope.fields(node) for node in nodes)]


def _inputs(reader: _Reader, node: Node) -> Iterator[_Input]:
    """Here-documents, here-strings, the pipe before it, and substitutions that it reads as files."""
    statement = node.parent if node.parent is not None and node.parent.type == "redirected_statement" else node
    for redirect in [*node.children, *(statement.children if statement is not node else [])]:
        line = reader.first_line + redirect.start_point.row
        if redirect.type == "herestring_redirect":
            yield from (
                _Input(line, as_script("".join(words)))
                for words in reader.scope.fields(redirect.named_children[-1], True)
            )
        elif redirect.type == "heredoc_redirect":
            yield from _document(reader, redirect)
        elif redirect.type == "file_redirect" and redirect.children[0].type == "<":
            yield from _substitution_input(reader, redirect.named_children[-1])
    for word in node.children_by_field_name("argument"):
        yield from _substitution_input(reader, word)
    pipeline, part = _pipeline(node)
    if pipeline is not None and part is not None:
        parts = [child for child in pipeline.named_children if child.type != "comment"]
        place = [child.id for child in parts].index(part.id)
        source = parts[place - 1] if place else _document_owner(pipeline)
        if source is not None:
            yield from _output_of(reader, source, reader.first_line + source.start_point.row)


def _substitution_input(reader: _Reader, word: Node) -> Iterator[_Input]:
    """What the command in `<(…)` writes."""
    if word.type == "process_substitution" and word.named_children and word.children[0].type == "<(":
        yield from _output_of(reader, word.named_children[-1], reader.first_line + word.start_point.row)


def _document_owner(pipeline: Node) -> Node | None:
    """The command before `<<EOF |`: the grammar puts the pipe into the redirection."""
    redirect = pipeline.parent
    statement = redirect.parent if redirect is not None and redirect.type == "heredoc_redirect" else None
    return statement.named_children[0] if statement is not None and statement.named_children else None


def _pipeline(node: Node) -> tuple[Node | None, Node | None]:
    """The pipeline that feeds a command, and the command's part of it."""
    part, above = node, node.parent
    while above is not None:
        if above.type == "pipeline":
            return above, part
        if above.type not in {"redirected_statement", "compound_statement", "subshell", "negated_command"}:
            return None, None
        part, above = above, above.parent
    return None, None


def _document(reader: _Reader, redirect: Node) -> Iterator[_Input]:
    start = next((text_of(child) for child in redirect.children if child.type == "heredoc_start"), "")
    body = next((child for child in redirect.children if child.type == "heredoc_body"), None)
    if body is None:
        return
    stripped = any(child.type == "<<-" for child in redirect.children)
    for words in reader.scope.quoted_text(body, raw=bool(re.search(r"['\"\\]", start))):
        text = as_script("".join(words))
        text = re.sub(r"(?m)^\t+", "", text) if stripped else text
        yield _Input(reader.first_line + body.start_point.row, text)


def _output_of(reader: _Reader, source: Node, line: int) -> Iterator[_Input]:
    """What a command writes, where that can be read off it."""
    command = source.named_children[0] if source.type == "redirected_statement" and source.named_children else source
    if command.type == "command":
        if (texts := reader.scope.echoed(command)) is not None:
            yield from (_Input(line, as_script(text)) for text in texts)
            return
        documents = list(_inputs(reader, command))
        if text_of(command.child_by_field_name("name") or command) == "cat" and documents:
            yield from documents
            return
    yield _Input(line, None)


# --- what runs what -------------------------------------------------------------------------------------------------


def _run(
    reader: _Reader, words: Fields, line: int, inputs: Sequence[_Input], is_program: bool = True, depth: int = 0
) -> None:
    """The command itself, and those that it runs: behind sudo, in `sh -c`, over ssh, for each line of xargs."""
    if not words or depth > _DEPTH:
        return
    if (alias := reader.aliases.get(words[0])) and depth < _DEPTH:
        _scripts(reader, [f"{alias} {' '.join(map(as_script, words[1:]))}"], line)
    if function := reader.functions.get(words[0]):
        _call(reader, words[0], function, words[1:])
    reader.commands.append(Invocation(line, tuple(map(readable, words)), words, is_program))
    program, rest = program_name(words[0]), words[1:]
    if not is_known(program) and is_program:
        program_like: tuple[str, ...] = ("sh", "env")  # whatever it is: a shell and a wrapper may hide in it
    else:
        program_like = (program,)
    for name in program_like:
        _run_inner(reader, name, rest, line, inputs, depth)


def _run_inner(reader: _Reader, program: str, rest: Fields, line: int, inputs: Sequence[_Input], depth: int) -> None:
    """The commands that a program runs."""
    call = _Call(program, rest, line, inputs, depth)
    if program in {"runuser", "script", "sg"}:
        _run_shell(reader, call)
    if program in _WRAPPERS and not (program == "command" and rest[:1] in {("-v",), ("-V",)}):
        _run_wrapped(reader, call)
    elif handler := _RUNNERS.get(program):
        handler(reader, call)


def _run_wrapped(reader: _Reader, call: _Call) -> None:
    """The command behind sudo, env, xargs and their like."""
    rest, line, inputs = call.arguments, call.line, call.inputs
    if call.program == "env":
        _scripts(reader, _values_of(rest, {"-S", "--split-string"}), line)
    inner = _after_options(rest, _WRAPPERS[call.program], _WORDS_BEFORE.get(call.program, 0))
    if call.program in _FEEDS and inner:
        inner = inner[: inner.index(":::")] if ":::" in inner else inner
        _run(reader, _with_input(inner, rest), line, inputs, depth=call.depth + 1)
    _run(reader, inner, line, inputs, depth=call.depth + 1)
    if call.program == "watch":  # gives its words to a shell
        _scripts(reader, [" ".join(inner)], line)
    options = rest[: len(rest) - len(inner)]
    if inner and options and options[-1].startswith("-"):
        # That option may be one with a value, which was taken for the command.
        for place, word in enumerate(inner[1:], start=1):
            if program_name(word) in _RUN_BY_WRAPPERS:
                _run(reader, inner[place:], line, inputs, depth=call.depth + 1)


def _values_of(words: Fields, options: Collection[str]) -> list[str]:
    """The word behind each of these options."""
    return [following for option, following in itertools.pairwise(words) if option in options]


def _with_input(command: Fields, rest: Fields) -> Fields:
    """The command of xargs with a word of its input, where its -I or -i says, else at the end."""
    markers = _values_of(rest, {"-I"}) + [word[2:] or "{}" for word in rest if re.match(r"-[Ii](?!$)|-i$", word)]
    return tuple(_FED if word in markers else word for word in command) if markers else (*command, _FED)


def _run_found(reader: _Reader, call: _Call) -> None:
    for place, word in enumerate(call.arguments):
        if word in {"-exec", "-execdir", "-ok", "-okdir"}:
            _run(reader, call.arguments[place + 1 :], call.line, [], depth=call.depth + 1)


def _run_shell(reader: _Reader, call: _Call) -> None:
    _shell(reader, call.program, call.arguments, call.line, call.inputs)


def _run_eval(reader: _Reader, call: _Call) -> None:
    _scripts(reader, [" ".join(call.arguments)], call.line)


def _run_trap(reader: _Reader, call: _Call) -> None:
    _scripts(reader, [word for word in call.arguments[:1] if word not in {"-", "--", "-p", "-l"}], call.line)


def _run_at(reader: _Reader, call: _Call) -> None:
    _from_input(reader, call.inputs, call.line)


def _run_alias(reader: _Reader, call: _Call) -> None:
    _scripts(reader, [word.partition("=")[2] for word in call.arguments], call.line)


# Programs that run commands without being wrappers.
_RUNNERS: Mapping[str, Callable[[_Reader, _Call], None]] = {
    "find": _run_found, "eval": _run_eval, "trap": _run_trap, "at": _run_at, "batch": _run_at, "alias": _run_alias,
    **dict.fromkeys((*SHELLS, "su", "ssh", "source", "."), _run_shell),
}  # fmt: skip


def _shell(reader: _Reader, program: str, rest: Fields, line: int, inputs: Sequence[_Input]) -> None:
    """A shell's script: an argument, or its input."""
    if program == "ssh":
        remote = _after_options(rest, _SSH_VALUED, 1)
        if remote:
            commands = _scripts(reader, [" ".join(remote)], line)
            if not any(
                program_name(invocation.words[0]) in SHELLS and _reads_input(invocation.values[1:])
                for invocation in commands
                if invocation.words
            ):
                return
        _from_input(reader, inputs, line)
        return
    for place, word in enumerate(rest[:-1]):
        if word == "--command" or re.fullmatch(r"-[A-Za-z]*c", word):
            _scripts(reader, [rest[place + 1]], line, rest[place + 3 :])
            return
    if program in {"source", "."}:
        if rest[:1] == ("<()",):
            _from_input(reader, inputs, line)
    elif program in SHELLS and _reads_input(rest):
        _from_input(reader, inputs, line)


def _reads_input(rest: Sequence[str]) -> bool:
    """Whether a shell with these arguments reads its script from its input, or from a substitution."""
    operands = _after_options(rest, _SHELL_VALUED, 0)
    options = rest[: len(rest) - len(operands)]
    return (
        not operands
        or operands[0] in {*_INPUT, "<()"}
        or any(re.fullmatch(r"-[a-z]*s[a-z]*", word) for word in options)
    )


def _from_input(reader: _Reader, inputs: Sequence[_Input], line: int) -> None:
    for source in inputs:
        if source.text is None:
            several = unknown("its input", several=True)
            reader.commands.append(Invocation(line, (readable(several),), (several,)))
        else:
            reader.commands += _inner(reader, source.text, source.line)


def _scripts(reader: _Reader, scripts: Sequence[str], line: int, arguments: Fields | None = None) -> list[Invocation]:
    """Words that are scripts themselves."""
    commands = [invocation for script in scripts for invocation in _inner(reader, as_script(script), line, arguments)]
    reader.commands += commands
    return commands


def _inner(reader: _Reader, script: str, line: int, arguments: Fields | None = None) -> list[Invocation]:
    return _read(script, line, reader.depth + 1, reader.scope, reader.functions, reader.aliases, arguments)


def _call(reader: _Reader, name: str, function: Node, arguments: Fields) -> None:
    """The commands of a function's body, with what this call gives it."""
    reader.called.add(name)
    if reader.depth >= _DEPTH:
        return
    outer_functions = {key: node for key, node in reader.functions.items() if key != name}
    inner = _Reader(
        Scope(function, [arguments], reader.scope), reader.first_line, reader.depth + 1, outer_functions, reader.aliases
    )
    _walk(inner, function, inside=True)
    reader.called |= inner.called
    reader.commands += inner.commands


def _after_options(words: Sequence[str], valued: frozenset[str], skip: int) -> Fields:
    """What is left after a program's own options, assignments (env) and words."""
    place = 0
    while place < len(words):
        word = words[place]
        if word == "--":
            place += 1
            break
        if word in valued:
            place += 2
        elif (word.startswith("-") and word != "-") or _ASSIGNMENT.fullmatch(word):
            place += 1
        elif skip:
            skip -= 1
            place += 1
        else:
            break
    return tuple(words[place + skip :])
