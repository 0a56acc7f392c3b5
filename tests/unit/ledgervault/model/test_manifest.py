"""The published schemas, and manifests of other versions."""
# ruff: noqa: E501  - a table of cases reads best with a case on a line

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ledgervault.model import (
    content,
    manifest,
    records,
)
from ledgervault.model.manifest import Manifest, Watched
from ledgervault.model.proof import Proof
from tests.unit.ledgervault.examples import CONTENT

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    ("file", "kind", "title"),
    [
        ("manifest.schema.json", Manifest, "LedgerFlow backup manifest, schema 2"),
        ("proof.schema.json", Proof, "LedgerFlow backup proof, schema 1"),
    ],
)
def test_the_published_schemas_are_what_the_code_reads(file: str, kind: type[Any], title: str) -> None:
    published = ROOT / "docs" / file
    if not published.exists():
        pytest.skip("the documents are not in the test image; the controller's run compares them")
    assert json.loads(published.read_text()) == records.json_schema(kind, title)


MANIFEST = Manifest(
    1, "f", "db", "hourly", "ci", "ledger", "t", "t", "t", "17.1", 170001, "pg_dump", "0/1", "igzip", 1, "s", 1, CONTENT,
    {"public.s": content.SequenceValue(4, True)}, {"public.t": Watched("rows", "nothing here", True)}, "SELECT 1",
)  # fmt: skip


def test_a_manifest_of_the_first_schema_is_read_and_one_of_a_later_version_is_refused_by_name() -> None:
    first = records.plain(MANIFEST) | {"schema": 1}
    del first["digests"]
    assert manifest.parse_manifest(json.dumps(first).encode()).digests is None
    for later in ({**first, "schema": 3}, {"schema": 3, "unheard": "of"}):
        with pytest.raises(
            records.NewerError, match="written by a newer ledgervault: schema 3, this version reads up to 2"
        ):
            manifest.parse_manifest(json.dumps(later).encode())
    with pytest.raises(records.RecordError, match="unheard: unknown key"):
        manifest.parse_manifest(json.dumps({**first, "unheard": "of"}).encode())
