"""What is read from a dump's own headings."""

from __future__ import annotations

from ledgervault.model import (
    content,
)
from ledgervault.storage import archive


def test_only_pg_dumps_own_headings_give_sequence_values() -> None:
    text = (
        b"SELECT pg_catalog.setval('public.fake', 1, true);\n"
        b"-- Name: s; Type: SEQUENCE SET; Schema: public; Owner: -\n--\n\n"
        b"SELECT pg_catalog.setval('public.\"it''s\"', -5, false);\n"
    )
    assert archive.setvals(text) == {'public."it\'s"': content.SequenceValue(-5, False)}
