"""What a table may lose, and the keys that a report names."""

from __future__ import annotations

from dataclasses import replace

from ledgervault.model import config, loss_rules
from ledgervault.model.row_comparison import Figures
from tests.unit.ledgervault.examples import KEYED, compare_rows


def test_the_first_keys_are_named_and_the_rest_are_counted() -> None:
    figures = compare_rows([b"1\t%d\tx" % n for n in range(50)], [], KEYED)
    table = config.TableConfig("t", rows=config.KEPT)
    assert len(figures.missing_keys) == 20
    assert loss_rules.kept_problem(table, figures) == "50 missing (id=0; id=1; id=2; id=3; id=4 and 45 more)"
    assert loss_rules.kept_problem(table, Figures(changed=3, added=5)) is None
    assert loss_rules.kept_problem(table, None) == "gone"
    dropped = replace(table, fixed_columns=("amount",))
    assert loss_rules.kept_problem(dropped, Figures(dropped_columns=["amount"])) == "fixed column dropped: amount"
    assert loss_rules.kept_problem(dropped, Figures(dropped_columns=["note"])) is None
