"""Each change is one decision, valid Python, and in its place."""

from __future__ import annotations

import ast

from tools.mutation.mutants import mutants

SOURCE = '''"""A module with 3 words."""
LIMIT: int = 5


def judge(a: int, b: "list[int]") -> bool:
    """Never changed: 1 < 2."""
    if not a or a < LIMIT and b:
        return True
    text = f"{a}" + "é"
    return (a + 1 if b else 2) in b
'''


def changes() -> dict[str, str]:
    return {f"{mutant.line}: {mutant.change}": mutant.text for mutant in mutants("m.py", SOURCE)}


def test_every_comparison_condition_operator_and_constant_is_changed_once() -> None:
    assert set(changes()) == {
        "2: 5 is 6",
        "7: Or is And",
        "7: condition 1 dropped",
        "7: condition 2 dropped",
        "7: not removed",
        "7: And is Or",
        "7: Lt is LtE",
        "8: True is False",
        "10: In is NotIn",
        "10: branches exchanged",
        "10: operator Sub",
        "10: 1 is 2",
        "10: 2 is 3",
    }


def test_a_change_is_valid_and_leaves_all_else_as_it_was() -> None:
    for text in changes().values():
        ast.parse(text)
        different = [
            number
            for number, (before, after) in enumerate(zip(SOURCE.splitlines(), text.splitlines(), strict=True), 1)
            if before != after
        ]
        assert len(different) == 1


def test_texts_types_and_documentation_are_no_decisions() -> None:
    assert not [change for change in changes() if change.startswith(("1:", "5:", "6:", "9:"))]


def test_a_change_behind_a_letter_of_two_bytes_is_in_its_place() -> None:
    (mutant,) = mutants("m.py", 'x = "é", 1\n')
    assert mutant.text == 'x = "é", (2)\n'
