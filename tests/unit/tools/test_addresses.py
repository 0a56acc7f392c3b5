"""Nothing of one machine gets into a commit."""

from __future__ import annotations

import pytest

from ledgerflow.repository import ROOT
from tools.addresses import findings


@pytest.mark.parametrize("text", [
    "--index-url https://mirror.example.org/simple",
    "--find-links /opt/wheels",
    "pkg @ file:///tmp/pkg",
])  # fmt: skip
def test_a_lock_with_an_address_is_found_and_a_remark_elsewhere_is_not(text: str) -> None:
    assert findings(ROOT / "requirements/dev.txt", f"a==1\n{text}\n")[0].startswith("requirements/dev.txt:2: ")
    assert findings(ROOT / "README.md", text) == []


def test_a_private_key_is_found_anywhere_and_a_public_one_is_not() -> None:
    assert len(findings(ROOT / "docs/any.md", "-----BEGIN RSA PRIVATE " + "KEY-----")) == 1
    assert findings(ROOT / "docs/any.md", "-----BEGIN PUBLIC " + "KEY-----") == []


def test_a_clean_lock_is_clean() -> None:
    assert findings(ROOT / "requirements/dev.txt", "a==1 \\\n    --hash=sha256:00\n") == []
