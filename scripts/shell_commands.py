"""Reads shell scripts into the commands they run, with the line of each.

A module of its own because a check that looks for words in a script finds comments and messages, and misses
`"$COMPOSE" down "-v"`, a here-document for ssh, or a command behind sudo, xargs and `sh -c`. This follows the shell's
rules for words, quotes, comments, substitutions and here-documents, and knows what a script says of its own variables;
it runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})
_KEYWORDS = frozenset({
    "!", "{", "}", "if", "then", "elif", "else", "fi", "while", "until", "do", "done", "case", "esac", "function",
    "coproc", "time",
})  # fmt: skip
# Programs that run the command after their own options; those options that take a value of their own.
_WRAPPERS: Mapping[str, frozenset[str]] = {
    "sudo": frozenset({"-u", "-g", "-h", "-p", "-C", "-D", "-R", "-T", "-U", "--user", "--group"}),
    "doas": frozenset({"-u", "-C"}), "env": frozenset({"-u", "-C", "-S", "--unset", "--chdir"}),
    "nice": frozenset({"-n", "--adjustment"}), "ionice": frozenset({"-c", "-n", "-p"}), "nohup": frozenset(),
    "exec": frozenset({"-a"}), "command": frozenset(), "builtin": frozenset(), "setsid": frozenset(),
    "stdbuf": frozenset({"-i", "-o", "-e"}), "timeout": frozenset({"-k", "-s", "--signal", "--kill-after"}),
    "xargs": frozenset({"-n", "-I", "-P", "-L", "-d", "-a", "-s", "-E", "--max-args", "--max-procs", "--arg-file"}),
    "parallel": frozenset({"-j", "-n"}), "flock": frozenset({"-w", "-E", "--timeout"}), "unshare": frozenset(),
    "chronic": frozenset(), "time": frozenset({"-f", "-o"}), "unbuffer": frozenset(), "caffeinate": frozenset(),
}  # fmt: skip
_WORDS_BEFORE = {"timeout": 1, "flock": 1}  # how many words of its own stand before the command
_SSH_VALUED = frozenset(f"-{letter}" for letter in "BbcDEeFIiJLlmOopQRSWw")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)\+?=(.*)", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-=])([^}]*)|\[[@*]\])?\})")
_DEPTH = 8  # of scripts inside words inside scripts


@dataclass(frozen=True)
class Piece:
    """A part of a word; what stood in quotes is not split again when a variable in it is known."""

    text: str
    quoted: bool = False
    literal: bool = False  # in single quotes or escaped: no variable is looked for


@dataclass(frozen=True)
class Word:
    """A word, where it begins, and the scripts in its substitutions."""

    line: int
    pieces: tuple[Piece, ...] = ()
    inner: tuple[tuple[int, str], ...] = ()

    @property
    def text(self) -> str:
        """With quotes removed, variables as they are written."""
        return "".join(piece.text for piece in self.pieces)


@dataclass(frozen=True)
class Invocation:
    """A command that a script runs: its words, and the line it begins on."""

    line: int
    words: tuple[str, ...]


@dataclass
class _Simple:
    """One command as it is written, before anything in it is looked into."""

    words: list[Word] = field(default_factory=list)
    documents: list[tuple[int, str]] = field(default_factory=list)
    piped: bool = False  # its input is the output of the one before


def remarks(script: str) -> dict[int, str]:
    """Line → the text of its comment."""
    reader = _Reader(script, 1)
    list(reader.commands())
    return reader.remarks


def invocations(script: str, first_line: int = 1, depth: int = 0) -> list[Invocation]:
    """Every command the script may run, also in substitutions, here-documents for a shell, `sh -c`, xargs and ssh."""
    if depth > _DEPTH:
        return []
    known: dict[str, str] = {}
    found: list[Invocation] = []
    before: _Simple | None = None
    for simple in _Reader(script, first_line).commands():
        for word in simple.words:
            for line, inner in word.inner:
                found += invocations(inner, line, depth + 1)
        found += _of_command(simple, before, known, depth)
        before = simple
    return found


def _of_command(simple: _Simple, before: _Simple | None, known: dict[str, str], depth: int) -> list[Invocation]:
    words = _without_keywords(simple.words)
    while words and (match := _ASSIGNMENT.fullmatch(words[0].text)) and not words[0].pieces[0].quoted:
        value = expand(words[0], known)
        known[match[1]] = (_ASSIGNMENT.fullmatch(" ".join(value)) or match)[2]
        words = words[1:]
    if not words:
        return []
    texts = tuple(text for word in words for text in expand(word, known))
    found = _unwrapped(Invocation(words[0].line, texts), depth)
    if any(_is_shell(each.words) for each in found):
        documents = list(simple.documents)
        if simple.piped and before is not None:
            documents += _echoed(before, known)
        found += [inner for line, text in documents for inner in invocations(text, line, depth + 1)]
    return found


def _without_keywords(words: Sequence[Word]) -> list[Word]:
    rest = list(words)
    while rest and rest[0].text in _KEYWORDS and not any(piece.quoted for piece in rest[0].pieces):
        rest = rest[2:] if rest[0].text == "function" else rest[1:]
    if len(rest) > 1 and rest[0].text in {"export", "local", "readonly", "declare", "typeset"}:
        rest = [word for word in rest[1:] if not word.text.startswith("-")]
    return rest


def expand(word: Word, known: Mapping[str, str]) -> list[str]:
    """The words it becomes: variables whose value the script says are put in, and split where they are not quoted."""
    words, fresh = [""], True
    for piece in word.pieces:
        text = piece.text if piece.literal else _VARIABLE.sub(lambda match: _value(match, known), piece.text)
        parts = [text] if piece.quoted or text == piece.text else text.split() or [""]
        words[-1] += parts[0]
        words += parts[1:]
        fresh = fresh and not piece.quoted and not text
    return [] if fresh and len(words) == 1 else words


def _value(match: re.Match[str], known: Mapping[str, str]) -> str:
    name = match[1] or match[2]
    return known.get(name, match[4] if match[3] else match[0])


def _unwrapped(given: Invocation, depth: int) -> list[Invocation]:
    """The command itself, and those that it runs: behind sudo, in `sh -c`, over ssh, for each line of xargs."""
    if not given.words or depth > _DEPTH:
        return []
    program, rest = base(given.words[0]), given.words[1:]
    if program in _WRAPPERS:
        inner = _after_options(rest, _WRAPPERS[program], _WORDS_BEFORE.get(program, 0))
        return [given, *_unwrapped(replace(given, words=inner), depth + 1)]
    scripts = list(_scripts_of(program, rest))
    found = [inner for script in scripts for inner in invocations(script, given.line, depth + 1)]
    if program == "find":
        for place, word in enumerate(rest):
            if word in {"-exec", "-execdir", "-ok", "-okdir"}:
                found += _unwrapped(replace(given, words=rest[place + 1 :]), depth + 1)
    return [given, *found]


def _scripts_of(program: str, rest: Sequence[str]) -> Iterator[str]:
    """Words of a command that are scripts themselves."""
    if program in SHELLS or program == "su":
        for place, word in enumerate(rest[:-1]):
            if word == "--command" or (re.fullmatch(r"-[A-Za-z]*c", word)):
                yield rest[place + 1]
                return
    elif program == "eval":
        yield " ".join(rest)
    elif program == "trap" and rest:
        yield rest[0]
    elif program == "alias":
        yield from (word.partition("=")[2] for word in rest)
    elif program == "ssh":
        yield " ".join(_after_options(rest, _SSH_VALUED, 1))


def _after_options(words: Sequence[str], valued: frozenset[str], skip: int) -> tuple[str, ...]:
    """What is left after a program's own options, assignments (env) and words."""
    place = 0
    while place < len(words):
        word = words[place]
        if word == "--":
            place += 1
            break
        if word in valued:
            place += 2
        elif word.startswith("-") or _ASSIGNMENT.fullmatch(word):
            place += 1
        elif skip:
            skip -= 1
            place += 1
        else:
            break
    return tuple(words[place + skip :])


def _is_shell(words: Sequence[str]) -> bool:
    """Whether the command reads a script from its input."""
    program = base(words[0]) if words else ""
    if program == "ssh":
        return not "".join(_after_options(words[1:], _SSH_VALUED, 1))
    return program in SHELLS and not any(re.fullmatch(r"-[A-Za-z]*c", word) for word in words)


def _echoed(simple: _Simple, known: Mapping[str, str]) -> list[tuple[int, str]]:
    """What a command before a pipe writes, where that can be read off it."""
    words = [text for word in _without_keywords(simple.words) for text in expand(word, known)]
    if words and base(words[0]) in {"echo", "printf"}:
        text = " ".join(word for word in words[1:] if not word.startswith("-n"))
        return [(simple.words[0].line, text.replace("\\n", "\n"))]
    return simple.documents if words and base(words[0]) == "cat" else []


def base(program: str) -> str:
    """A program's name without its directory."""
    return program.rpartition("/")[2]


class _Reader:
    """Letters to commands. One pass; a script that breaks off in a quote is read to its end."""

    def __init__(self, script: str, first_line: int) -> None:
        self.text, self.place, self.line = script, 0, first_line
        self.remarks: dict[int, str] = {}
        self._waiting: list[tuple[str, bool, bool, _Simple]] = []  # here-documents: end, tabs stripped, literal, whose

    def commands(self) -> Iterator[_Simple]:
        """The commands in their order."""
        current = _Simple()
        while self.place < len(self.text):
            letter = self.text[self.place]
            if letter == "\n":
                self._next_line()
                ended, piped = True, False
            elif letter in " \t\r":
                self.place += 1
                continue
            elif self.text.startswith("\\\n", self.place):
                self._skip(2)
                continue
            elif letter == "#":
                self._remark()
                continue
            elif letter in ";&|()" and not self.text.startswith("&>", self.place):
                ended, piped = True, self._separator()
            elif letter in "<>&":
                self._redirection(current)
                continue
            else:
                word = self._word()
                # A word of digits right before < or > is a descriptor.
                if not (word.text.isdigit() and self.place < len(self.text) and self.text[self.place] in "<>"):
                    current.words.append(word)
                continue
            if ended and (current.words or current.documents):
                yield current
                current = _Simple(piped=piped)
            else:
                current.piped = current.piped or piped
        if current.words:
            yield current

    def _skip(self, count: int) -> str:
        passed = self.text[self.place : self.place + count]
        self.line += passed.count("\n")
        self.place += count
        return passed

    def _remark(self) -> None:
        end = self.text.find("\n", self.place)
        end = len(self.text) if end < 0 else end
        self.remarks[self.line] = self.text[self.place + 1 : end].strip()
        self.place = end

    def _separator(self) -> bool:
        """Passes an operator; whether it is a pipe."""
        for operator in ("&&", "||", ";;", "|&"):
            if self.text.startswith(operator, self.place):
                self.place += 2
                return operator == "|&"
        return self._skip(1) == "|"

    def _next_line(self) -> None:
        self._skip(1)
        for end, tabs, literal, owner in self._waiting:
            self._document(end, tabs, literal, owner)
        self._waiting = []

    def _document(self, end: str, tabs: bool, literal: bool, owner: _Simple) -> None:
        first, lines = self.line, []
        while self.place < len(self.text):
            stop = self.text.find("\n", self.place)
            line = self._skip((stop if stop >= 0 else len(self.text)) - self.place + (stop >= 0)).removesuffix("\n")
            if (line.lstrip("\t") if tabs else line) == end:
                break
            lines.append(line)
        body = "\n".join(lines)
        owner.documents.append((first, body))
        if not literal:
            owner.words += [Word(first, inner=tuple(_substitutions(body, first)))]

    def _redirection(self, current: _Simple) -> None:
        if self.text.startswith("<<<", self.place):
            self._skip(3)
            word = self._operand()
            current.documents.append((word.line, word.text))
        elif self.text.startswith("<<", self.place):
            self._skip(2)
            tabs = self.text.startswith("-", self.place)
            self.place += tabs
            word = self._operand()
            quoted = any(piece.quoted or piece.literal for piece in word.pieces)
            self._waiting.append((word.text, tabs, quoted, current))
        elif self.text[self.place : self.place + 2] in {"<(", ">("}:
            self._skip(1)
            line, inner = self.line, self._parenthesised()
            current.words.append(Word(line, (Piece("<()", quoted=True),), ((line, inner),)))
        else:
            while self.place < len(self.text) and self.text[self.place] in "<>&|":
                self.place += 1
            word = self._operand()
            current.words += [Word(word.line, inner=word.inner)] if word.inner else []

    def _operand(self) -> Word:
        while self.place < len(self.text) and self.text[self.place] in " \t":
            self.place += 1
        return self._word()

    def _word(self) -> Word:
        line, pieces, inner = self.line, list[Piece](), list[tuple[int, str]]()
        while self.place < len(self.text) and self.text[self.place] not in " \t\r\n;&|()<>":
            letter, start = self.text[self.place], self.line
            if letter == "'":
                pieces.append(Piece(self._to("'"), quoted=True, literal=True))
            elif self.text.startswith("$'", self.place):
                self.place += 1
                pieces.append(Piece(self._to("'", escapes=True), quoted=True, literal=True))
            elif letter == '"':
                text = self._to('"', escapes=True)
                pieces.append(Piece(re.sub(r'\\(["\\`]|\n)', lambda m: m[1].strip("\n"), text), quoted=True))
                inner += _substitutions(text, start)
            elif letter == "\\":
                self.place += 1
                text = self._skip(1)
                pieces += [Piece(text, quoted=True, literal=True)] if text != "\n" else []
            elif letter == "`":
                inner.append((start, self._to("`", escapes=True)))
                pieces.append(Piece("$()", literal=True))
            elif self.text.startswith("$(", self.place):
                self.place += 1
                inner.append((start, self._parenthesised()))
                pieces.append(Piece("$()", literal=True))
            elif self.text.startswith("${", self.place):
                end = self.text.find("}", self.place)
                pieces.append(Piece(self._skip((end if end >= 0 else len(self.text)) + 1 - self.place)))
            else:
                pieces.append(Piece(self._skip(1)))
        return Word(line, _joined(pieces), tuple(inner))

    def _to(self, end: str, escapes: bool = False) -> str:
        """The text up to a closing quote, which is passed; substitutions in double quotes keep theirs."""
        self.place += 1
        start = self.place
        while self.place < len(self.text) and self.text[self.place] != end:
            if escapes and self.text[self.place] == "\\":
                self._skip(2)
            elif end == '"' and self.text.startswith("$(", self.place):
                self.place += 1
                self._parenthesised()
            else:
                self._skip(1)
        text = self.text[start : self.place]
        self.place += 1
        return text

    def _parenthesised(self) -> str:
        """What is between this parenthesis and the one that closes it."""
        self.place += 1
        start, depth = self.place, 1
        while self.place < len(self.text):
            letter = self.text[self.place]
            if letter in "'\"`":
                self._to(letter, escapes=letter != "'")
                continue
            if letter == "\\":
                self._skip(2)
                continue
            depth += (letter == "(") - (letter == ")")
            if depth == 0:
                break
            self._skip(1)
        inner = self.text[start : self.place]
        self.place += 1
        return inner


def _joined(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Letters that stand side by side as one piece, so that a variable in them is whole."""
    joined: list[Piece] = []
    for piece in pieces:
        if joined and (joined[-1].quoted, joined[-1].literal) == (piece.quoted, piece.literal) == (False, False):
            joined[-1] = Piece(joined[-1].text + piece.text)
        else:
            joined.append(piece)
    return tuple(joined)


def _substitutions(text: str, line: int) -> list[tuple[int, str]]:
    """The scripts of `$(…)` and backticks in a text that is otherwise literal."""
    found, reader = [], _Reader(text, line)
    while reader.place < len(text):
        if text[reader.place] == "\\":
            reader._skip(2)
        elif text.startswith("$(", reader.place):
            reader.place += 1
            start = reader.line
            found.append((start, reader._parenthesised()))
        elif text[reader.place] == "`":
            start = reader.line
            found.append((start, reader._to("`", escapes=True)))
        else:
            reader._skip(1)
    return found
