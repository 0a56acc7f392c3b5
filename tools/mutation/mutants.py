"""The changes: one comparison, constant, operator or branch of a module turned into its neighbour.

A module of its own because it is pure: text in, text out. Written here because mutmut and cosmic-ray want the
tests to import one installed package; ours are four packages with four ways to run their tests.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Div: ast.Mult,
    ast.Mod: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change of one file."""

    path: str
    line: int
    change: str
    text: str


def mutants(path: str, source: str) -> Iterator[Mutant]:
    """Every change of a module, in the order of its lines."""
    tree = ast.parse(source)
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    annotations = {id(child) for node in ast.walk(tree) for part in _annotations(node) for child in ast.walk(part)}
    for node in sorted(
        ast.walk(tree), key=lambda found_node: (getattr(found_node, "lineno", 0), getattr(found_node, "col_offset", 0))
    ):
        if id(node) in documentation or id(node) in annotations:
            continue
        for change, replacement in _replacements(node):
            segment = ast.get_source_segment(source, node)
            if segment is not None and isinstance(node, ast.expr):
                yield Mutant(path, node.lineno, change, _replace(source, node, f"({ast.unparse(replacement)})"))


def _annotations(node: ast.AST) -> list[ast.AST]:
    """What of a node is only a type."""
    parts = [getattr(node, "annotation", None), getattr(node, "returns", None)]
    return [part for part in parts if part is not None]


def _replacements(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """(what changes, the new expression) of one node."""
    if isinstance(node, ast.Compare):
        yield from _compare(node)
    elif isinstance(node, ast.BoolOp):
        yield from _bool(node)
    elif isinstance(node, ast.BinOp) and type(node.op) in OPERATORS and not _is_text(node):
        operator = OPERATORS[type(node.op)]()
        yield f"operator {type(operator).__name__}", ast.BinOp(node.left, operator, node.right)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not removed", node.operand
    elif isinstance(node, ast.IfExp):
        yield "branches exchanged", ast.IfExp(node.test, node.orelse, node.body)
    elif isinstance(node, ast.Constant):
        yield from _constant(node)


def _compare(node: ast.Compare) -> Iterator[tuple[str, ast.expr]]:
    for index, operator in enumerate(node.ops):
        changed = COMPARISONS[type(operator)]()
        operators = [*node.ops[:index], changed, *node.ops[index + 1 :]]
        yield (
            f"{type(operator).__name__} is {type(changed).__name__}",
            ast.Compare(node.left, operators, node.comparators),
        )


def _bool(node: ast.BoolOp) -> Iterator[tuple[str, ast.expr]]:
    opposite = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield f"{type(node.op).__name__} is {type(opposite).__name__}", ast.BoolOp(opposite, node.values)
    for index in range(len(node.values)):
        operands = [*node.values[:index], *node.values[index + 1 :]]
        yield f"condition {index + 1} dropped", operands[0] if len(operands) == 1 else ast.BoolOp(node.op, operands)


def _constant(node: ast.Constant) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node.value, bool):
        yield f"{node.value} is {not node.value}", ast.Constant(not node.value)
    elif isinstance(node.value, int):
        yield f"{node.value} is {node.value + 1}", ast.Constant(node.value + 1)


def _is_text(node: ast.BinOp) -> bool:
    """Joined and formatted texts are messages, not decisions."""
    sides = (node.left, node.right)
    return any(
        isinstance(s, ast.JoinedStr) or (isinstance(s, ast.Constant) and isinstance(s.value, str)) for s in sides
    )


def _replace(source: str, node: ast.expr, text: str) -> str:
    """The source with one expression exchanged; offsets of Python's parser count bytes of a line."""
    lines = source.encode().splitlines(keepends=True)
    start = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
    end = sum(map(len, lines[: (node.end_lineno or node.lineno) - 1])) + (node.end_col_offset or 0)
    encoded = source.encode()
    return (encoded[:start] + text.encode() + encoded[end:]).decode()
