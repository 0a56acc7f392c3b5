"""Reads the words of a shell script's commands: what each may become, as far as the script itself says.

A module of its own because a word is more than its letters: quotes, variables, arrays, loops and arguments of functions
decide what a command gets. tree-sitter reads the script; this follows the values. A value that only the caller knows
stays in the word as a mark, so that a check can try what it might be. Nothing is run.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import tree_sitter_bash
from tree_sitter import Language, Node, Parser

Fields = tuple[str, ...]

PUT_IN_LATER = "${PUT_IN_LATER}"  # an expression of another tool, as ledgerflow.checks.script_sources writes it
MOST_VALUES = 48  # alternatives of one word or command; with more of them it is unknown
_ONE, _SEVERAL, _END = "\ue000", "\ue001", "\ue002"  # a mark is: kind, text as written, end
_MARK = re.compile(f"[{_ONE}{_SEVERAL}][^{_END}]*{_END}")
_PARSER = Parser(Language(tree_sitter_bash.language()))
_NAME = re.compile(r"[A-Za-z_]\w*")
_NUMBERS = frozenset("?#$!-")  # $? and its like: no option, no command
_DELIMITER = re.compile(
    r"""(<<-?[ \t]*(?:'[^'\n]*'|"[^"\n]*"|[\w\\.-]+))(?:[ \t]*(;)(?![;\s]*\n|;|[^\n]*<<)|()(?=[;&|)]))"""
)
_REFERS = frozenset({"-n", "-gn", "-ng", "-rn"})  # of declare and local
_KEY = re.compile(r"^\[[^]]*\]=")  # of an associative array's element
_BRACES = re.compile(r"(.*?)\{([^{}]*,[^{}]*)\}(.*)", re.DOTALL)
_SETS = frozenset(
    {"read", "mapfile", "readarray", "getopts", "printf", "select"}
)  # commands that give variables a value
_CONDITIONAL = frozenset({
    "if_statement", "elif_clause", "else_clause", "while_statement", "for_statement", "c_style_for_statement",
    "case_statement", "list", "subshell", "function_definition", "command_substitution", "process_substitution",
    "pipeline",
})  # fmt: skip


def parse(script: str) -> Node:
    """The script's tree; letters that this module uses as marks are replaced."""
    cleaned = re.sub(f"[{_ONE}{_SEVERAL}{_END}\0]", "?", script).replace("\r\n", " \n")
    # The grammar takes `<<A;` for the delimiter `A;`, and knows no other command than one behind && on that line.
    cleaned = _DELIMITER.sub(lambda match: match[1] + (" && " if match[2] else " "), cleaned)
    return _PARSER.parse(cleaned.encode(errors="replace")).root_node


def text_of(node: Node) -> str:
    """The node as it is written."""
    return (node.text or b"").decode(errors="replace")


def descend(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        waiting += reversed(current.children)


# --- marks ----------------------------------------------------------------------------------------------------------


def unknown(source: str, several: bool) -> str:
    """A value that nobody knows here: one word, or as many as it likes."""
    return f"{_SEVERAL if several else _ONE}{_MARK.sub('?', source)}{_END}"


def is_known(word: str) -> bool:
    """Whether every letter is known."""
    return not _MARK.search(word)


def is_several(word: str) -> bool:
    """Whether the value may become several words."""
    return _SEVERAL in word


def readable(word: str) -> str:
    """The value with its unknown parts as they are written."""
    return re.sub(f"[{_ONE}{_SEVERAL}{_END}]", "", word)


def as_script(word: str) -> str:
    """The value as the text of a script: what is unknown becomes a variable that nobody sets."""
    return _MARK.sub(PUT_IN_LATER, word)


def fill(word: str, text: str) -> str:
    """The value with `text` for each unknown part."""
    return _MARK.sub(lambda _: text, word)


def can_be(word: str, text: str) -> bool:
    """Whether the unknown parts leave room for this text."""
    pattern = "".join(re.escape(part) for part in re.split(f"({_MARK.pattern})", word) if not _MARK.fullmatch(part))
    parts = [re.escape(part) for part in _MARK.split(word)]
    return bool(re.fullmatch(".*".join(parts), text, re.DOTALL)) if not is_known(word) else pattern == re.escape(text)


def _as_single(word: str) -> str:
    return word.replace(_SEVERAL, _ONE)


def _split(value: str) -> Fields:
    """An unquoted value as the shell splits it; an unknown part may bring words of its own."""
    marks = _MARK.findall(value)
    words = _MARK.sub(_END, value).split()
    remaining = iter(marks)
    return tuple(re.sub(_END, lambda _: next(remaining).replace(_ONE, _SEVERAL), word) for word in words)


# --- variables ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Assignment:
    """One place that gives a variable a value; without nodes nobody knows it."""

    position: int
    nodes: tuple[Node, ...] = ()
    array: bool = False
    appends: bool = False
    sure: bool = False  # runs whenever the script comes by


@dataclass
class Scope:
    """The variables of a script or of one call of a function, and the scope around it."""

    root: Node
    arguments: list[Fields] | None = None  # what "$@" may be; None where only the caller knows
    parent: Scope | None = None
    _assignments: dict[str, list[_Assignment]] = field(default_factory=dict)
    _open: set[int] = field(default_factory=set)
    _shifts: bool = False

    def __post_init__(self) -> None:
        for node in descend(self.root):
            if node.type == "variable_assignment":
                self._assign(node)
            elif node.type == "for_statement":
                self._loop(node)
            elif node.type == "command":
                self._set_by_command(node)

    def _add(self, name: str, assignment: _Assignment) -> None:
        self._assignments.setdefault(name, []).append(assignment)

    def _assign(self, node: Node) -> None:
        target, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if target is None:
            return
        if any(text_of(child) in _REFERS for child in (node.parent.children if node.parent is not None else [])):
            self._add(text_of(target), _Assignment(node.start_byte))  # declare -n: another variable's name
            return
        array = value is not None and value.type == "array"
        nodes = tuple(value.named_children) if array and value is not None else tuple([value] if value else [])
        indexed = target.type == "subscript"
        name = text_of(target).partition("[")[0]
        appends = indexed or any(child.type == "+=" for child in node.children)
        self._add(name, _Assignment(node.start_byte, nodes, array or indexed, appends, self._is_sure(node)))
        if not nodes and not array:  # x= is the empty text
            self._assignments[name][-1] = _Assignment(node.start_byte, (node,), False, appends, self._is_sure(node))

    def _loop(self, node: Node) -> None:
        variable = node.child_by_field_name("variable")
        if variable is None:
            return
        choices = node.children_by_field_name("value")
        for choice in choices:
            self._add(text_of(variable), _Assignment(node.start_byte, (choice,), array=False, sure=True))
        if not choices:
            self._add(text_of(variable), _Assignment(node.start_byte, sure=True))

    def _set_by_command(self, node: Node) -> None:
        name = text_of(node.child_by_field_name("name") or node)
        words = node.children_by_field_name("argument")
        self._shifts = self._shifts or name == "shift"
        if name == "set" and "--" in (texts := [text_of(word) for word in words]):
            self._add("@", _Assignment(node.start_byte, tuple(words[texts.index("--") + 1 :]), True, sure=True))
        elif name in _SETS:
            arguments = [text_of(word) for word in words]
            if name == "printf":
                arguments = arguments[1:2] if arguments[:1] == ["-v"] else []
            for word in arguments:
                if _NAME.fullmatch(word):
                    self._add(word, _Assignment(node.start_byte))

    def _is_sure(self, node: Node) -> bool:
        """Whether the assignment runs in every run; one in each branch of an `if` or `case` counts as that."""
        above = node.parent
        while above is not None and above.id != self.root.id:
            if above.type in {"if_statement", "case_statement"}:
                branches = {child.type for child in above.children}
                default = "else_clause" in branches or any(
                    text_of(child).lstrip("( ").startswith("*") for child in above.children if child.type == "case_item"
                )
                if not default:
                    return False
            elif above.type in _CONDITIONAL - {"else_clause", "elif_clause"}:
                return False
            above = above.parent
        return True

    def values(self, name: str, position: int | None) -> list[Fields] | None:
        """What a variable may be, as its elements; None among them is left out, and None alone is: nobody knows.

        `position` is where it is used; None inside a function, which may be called at any time.
        """
        assignments = [assignment for assignment in self._assignments.get(name, []) if id(assignment) not in self._open]
        outer = self.parent.values(name, None) if self.parent is not None else None
        if not assignments:
            return outer
        evaluated = self._evaluated(assignments)
        sure = any(
            assignment.sure and (position is None or assignment.position <= position)
            for assignment in assignments
            if not assignment.appends
        )
        if evaluated is None or sure:
            return evaluated
        return None if outer is None and self._is_environment(name) else [*evaluated, *(outer or [])]

    def _is_environment(self, name: str) -> bool:
        return name != "@"

    def _evaluated(self, assignments: Sequence[_Assignment]) -> list[Fields] | None:
        set_values, appended_values = self._all_values(assignments, False), self._all_values(assignments, True)
        if set_values is None or appended_values is None:
            return None
        bases = list(itertools.chain.from_iterable(set_values))
        appended = [[(), *alternatives] for alternatives in appended_values]
        joined: list[Fields] = []
        is_array = any(assignment.array for assignment in assignments)
        for base in bases or [()]:
            for parts in itertools.islice(itertools.product(*appended), MOST_VALUES + 1):
                words = tuple(itertools.chain(base, *parts))
                joined.append(words if is_array else ("".join(words),))
        joined = list(dict.fromkeys(joined))
        return joined if len(joined) <= MOST_VALUES else None

    def _all_values(self, assignments: Sequence[_Assignment], appends: bool) -> list[list[Fields]] | None:
        """The alternatives of each assignment that appends, or of each that does not; None where one is unknown."""
        alternatives = [self._value(assignment) for assignment in assignments if assignment.appends is appends]
        known_fields = [fields for fields in alternatives if fields is not None]
        return known_fields if len(known_fields) == len(alternatives) else None

    def _value(self, assignment: _Assignment) -> list[Fields] | None:
        if not assignment.nodes:
            return None
        self._open.add(id(assignment))
        try:
            if assignment.array:
                return [
                    tuple(_KEY.sub("", word) for word in words)
                    for words in product(map(self._element, assignment.nodes))
                ]
            node = assignment.nodes[0]
            if node.type == "variable_assignment":
                return [("",)]
            loop = node.parent is not None and node.parent.type == "for_statement"
            if loop:
                return [(word,) for words in self.fields(node) for word in words]
            return [(_as_single("".join(words)),) for words in self.fields(node, quoted=True)]
        finally:
            self._open.discard(id(assignment))

    def _element(self, node: Node) -> list[Fields]:
        """An array's element; with a key it is one word whatever is in it."""
        words = self.fields(node)
        return [(" ".join(fields_of_one),) for fields_of_one in words] if text_of(node).startswith("[") else words

    # --- words ------------------------------------------------------------------------------------------------------

    def fields(self, node: Node, quoted: bool = False) -> list[Fields]:
        """The alternatives of a word, each as the words it becomes."""
        pieces = node.children if node.type == "concatenation" else [node]
        alternatives: list[list[str] | None] = [None]
        for piece in pieces:
            following = self._piece(piece, quoted)
            alternatives = [_join_at_seam(head, right) for head in alternatives for right in following]
            if len(alternatives) > MOST_VALUES:
                return [(unknown(text_of(node), several=not quoted),)]
        if node.type in {"word", "concatenation"} and not quoted:
            spread = [_braces(words or []) for words in alternatives]
            return list(dict.fromkeys(tuple(words) for words in spread))
        return list(dict.fromkeys(tuple(words or ()) for words in alternatives))

    def _piece(self, node: Node, quoted: bool) -> list[Fields]:
        if reader := _PIECES.get(node.type):
            return reader(self, node, quoted)
        text = text_of(node)
        if node.named_children and node.type not in {"word", "brace_expression"}:
            return [(unknown(text, several=not quoted),)]
        literal = re.sub(r"\\(\n|.)", lambda match: match[1].strip("\n"), text, flags=re.DOTALL)
        return [(_mark_later_text(literal, several=not quoted),)]

    def quoted_text(self, node: Node, raw: bool = False) -> list[Fields]:
        """The alternatives of a text in double quotes or of a here-document; what stands between nodes counts."""
        source, place = node.text or b"", node.start_byte
        end = node.end_byte
        if node.type in {"string", "translated_string"}:
            place += source.index(b'"') + 1
            end -= 1
        if raw:
            return [(_mark_later_text(source.decode(errors="replace"), several=False),)]
        alternatives: list[list[str] | None] = [[""]]
        children = [child for child in node.children if child.type in _EXPANDED]
        for child in [*children, None]:
            stop = child.start_byte if child is not None else max(place, end)
            literal = source[place - node.start_byte : stop - node.start_byte].decode(errors="replace")
            literal = re.sub(r'\\(["\\$`]|\n)', lambda match: match[1].strip("\n"), literal)
            following: list[Fields] = [(_mark_later_text(literal, several=False),)]
            if child is not None:
                following = [
                    tuple([literal + words[0], *words[1:]]) if words else ((literal,) if literal else ())
                    for words in self._piece(child, quoted=True)
                ]
                place = child.end_byte
            alternatives = [_join_at_seam(head, right) for head in alternatives for right in following]
            if len(alternatives) > MOST_VALUES:
                return [(unknown(text_of(node), several=False),)]
        only_array = len(children) == 1 and text_of(node)[1:-1] == text_of(children[0]) and "@" in text_of(children[0])
        return [() if only_array and words == [""] else tuple(words or ()) for words in alternatives]

    def _variable(self, node: Node, quoted: bool) -> list[Fields]:
        text = text_of(node)
        match = re.fullmatch(
            r"\$\{?([A-Za-z_]\w*|\d+|[@*?#$!-])(?:\[([^]]*)\])?(?:(:?[-=+?])(.*?))?\}?", text, re.DOTALL
        )
        if match is None or (match[3] and not text.startswith("${")):
            several = not quoted or "@" in text
            return [(unknown(text, several),)] if not text.startswith("${#") else [("0",)]
        name, index, operator = match[1], match[2], (match[3] or "").lstrip(":")
        if name in _NUMBERS:
            return [("0",)]
        alternatives = self._looked_up(name, node)
        readings: list[Fields]
        if alternatives is None:
            readings = [(unknown(text, several=not quoted or "@" in {name, index}),)]
        else:
            readings = [self._as_words(words, name, index, quoted) for words in alternatives]
        default = self._default(node, quoted)
        empty: Fields = ("",) if quoted else ()
        if operator in {"-", "="}:
            readings += default or [empty]
        elif operator == "+":
            readings = [*default, empty]
        return list(dict.fromkeys(readings))

    def _default(self, node: Node, quoted: bool) -> list[Fields]:
        """The alternatives of the text behind the operator of `${NAME:-text}`; empty where there is no text."""
        names = {"variable_name", "subscript", "special_variable_name"}
        texts = [child for child in node.named_children if child.type not in names]
        return product(self.fields(child, quoted) for child in texts) if texts else []

    def _looked_up(self, name: str, node: Node) -> list[Fields] | None:
        if name in {"@", "*"} or name.isdigit():
            lists = self._arguments()
            if lists is None or name == "0":
                return None
            if not name.isdigit():
                return lists
            number = int(name) - 1
            ends = [words[number:] if self._shifts else words[number : number + 1] for words in lists]
            return [(word,) for words in ends for word in words] or [("",)]
        inside = False
        above = node.parent
        while above is not None and above.id != self.root.id:
            inside = inside or above.type == "function_definition"
            above = above.parent
        return self.values(name, None if inside else node.start_byte)

    def _arguments(self) -> list[Fields] | None:
        """What "$@" may be; after a `shift` any end of it."""
        fields = [*(self.arguments or [])]
        if assignments := [
            assignment for assignment in self._assignments.get("@", []) if id(assignment) not in self._open
        ]:
            evaluated = self._evaluated(assignments)
            if evaluated is None:
                return None
            fields += evaluated
        elif self.arguments is None:
            return None
        if any(is_several(word) for words in fields for word in words):
            return None
        ends = [words[start:] for words in fields for start in range(len(words) + 1 if self._shifts else 1)]
        return ends[:MOST_VALUES]

    def _split(self, value: str) -> Fields:
        """As _split; where the script sets IFS, a value with other separators may be any words."""
        scope: Scope | None = self
        while scope is not None and "IFS" not in scope._assignments:
            scope = scope.parent
        return (unknown(value, several=True),) if scope is not None and re.search("[,:;|]", value) else _split(value)

    def _as_words(self, words: Fields, name: str, index: str | None, quoted: bool) -> Fields:
        if name in {"@", "*"} or index in {"@", "*"}:
            if quoted and "*" in {name, index}:
                return (" ".join(map(_as_single, words)),)
            return words if quoted else tuple(part for word in words for part in self._split(word))
        text = words[0] if words and index in {None, "0"} else " ".join(words)
        return (_as_single(text),) if quoted else self._split(text)

    def _output(self, node: Node, quoted: bool) -> list[Fields]:
        """What a substitution writes: known for echo, printf and a look-up of a program."""
        commands = [child for child in node.named_children if child.type != "comment"]
        if len(commands) == 1 and commands[0].type == "command":
            echoes = self.echoed(commands[0])
            if echoes is not None:
                return [(_as_single(text.rstrip("\n")),) if quoted else self._split(text) for text in echoes]
        return [(unknown("$()", several=not quoted),)]

    def echoed(self, command: Node) -> list[str] | None:
        """The texts that an echo, a printf, or the look-up of a program may write; None where that is not known."""
        name = text_of(command.child_by_field_name("name") or command)
        arguments = command.children_by_field_name("argument")
        alternatives = product(self.fields(argument) for argument in arguments)
        if name == "echo":
            return list(map(_echo_output, alternatives))
        if name == "printf":
            return list(map(_printf_output, alternatives))
        if name == "which" or (name == "command" and arguments and text_of(arguments[0]) == "-v"):
            return [words[-1] for words in alternatives if words]
        return None


# How a piece of a word is read, by its node's type; a piece of any other type is a literal.
_PIECES: Mapping[str, Callable[[Scope, Node, bool], list[Fields]]] = {
    "raw_string": lambda _, node, _quoted: [(_mark_later_text(text_of(node)[1:-1], several=False),)],
    "ansi_c_string": lambda _, node, _quoted: [(_mark_later_text(_unescape(text_of(node)[2:-1]), several=False),)],
    "string": lambda scope, node, _quoted: scope.quoted_text(node),
    "translated_string": lambda scope, node, _quoted: scope.quoted_text(node),
    "simple_expansion": Scope._variable,
    "expansion": Scope._variable,
    "command_substitution": Scope._output,
    "arithmetic_expansion": lambda _scope, _node, _quoted: [("0",)],
    "process_substitution": lambda _scope, _node, _quoted: [("<()",)],
}
_EXPANDED = frozenset({"simple_expansion", "expansion", "command_substitution", "arithmetic_expansion"})


def product(parts: Iterable[list[Fields]]) -> list[Fields]:
    """Every combination of alternatives, one after the other; too many of them are one unknown word."""
    combined: list[Fields] = [()]
    for alternatives in parts:
        if len(combined) * len(alternatives) > MOST_VALUES:
            alternatives = [(unknown("…", several=True),)]
        combined = [(*head, *right) for head in combined for right in alternatives]
    return combined


def _join_at_seam(head: list[str] | None, right: Fields) -> list[str] | None:
    """Pieces that touch become one word at the seam."""
    if not right:
        return head
    if not head:
        return [*right]
    return [*head[:-1], head[-1] + right[0], *right[1:]]


def _braces(words: Sequence[str]) -> list[str]:
    waiting, expanded = list(words), list[str]()
    while waiting:
        word = waiting.pop(0)
        match = _BRACES.fullmatch(word)
        if match is None or len(expanded) + len(waiting) > MOST_VALUES:
            expanded.append(word)
        else:
            waiting[:0] = [match[1] + part + match[3] for part in match[2].split(",")]
    return expanded


def _mark_later_text(text: str, several: bool) -> str:
    """Literal text, in which another tool may put something in before the shell reads it."""
    return text.replace(PUT_IN_LATER, unknown("${…}", several))


def _unescape(text: str) -> str:
    try:
        return text.encode("latin-1", "backslashreplace").decode("unicode_escape")
    except UnicodeDecodeError:
        return unknown(text, several=False)


def _echo_output(words: Sequence[str]) -> str:
    return " ".join(word for word in words if word not in {"-n", "-e", "-E"})


def _printf_output(words: Sequence[str]) -> str:
    """printf's output as a script: its format with the words put in, where they fit."""
    if not words:
        return ""
    remaining = list(words[1:])
    text = re.sub(r"%[-0-9.]*[sbdq]", lambda _: remaining.pop(0) if remaining else "", words[0])
    return " ".join([text.replace("\\n", "\n"), *remaining])
