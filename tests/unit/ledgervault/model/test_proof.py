"""Which checks make a proof, and the tables that a proof reports."""

from __future__ import annotations

import pytest

from ledgervault.model import (
    proof,
)
from ledgervault.model.proof import Check


@pytest.mark.parametrize(
    ("results", "compared", "verdict"),
    [
        (["ok"], True, "proven"),
        (["ok", "note"], True, "proven"),
        (["ok"], False, "inconclusive"),
        ([], True, "inconclusive"),
        (["note"], True, "inconclusive"),
        (["ok", "inconclusive"], True, "inconclusive"),
        (["ok", "inconclusive", "failed"], True, "failed"),
    ],
)
def test_only_what_was_compared_and_holds_is_proven(results: list[str], compared: bool, verdict: str) -> None:
    assert proof.verdict([Check("x", result, "x") for result in results], compared) == verdict


def test_a_proof_names_the_tables_that_lost_rows() -> None:
    checks = (proof.note("shrunken public.t", "x"), proof.note("indexes", "y"), proof.ok("table public.t", "z"))
    assert proof.Proof(1, "f", None, "data", "proven", "t", "t", 1.0, checks).lost_tables == ["public.t"]
