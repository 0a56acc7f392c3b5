"""A dump is split into its parts whatever the rows hold and wherever a read ends."""

from __future__ import annotations

import pytest

from ledgervault.model import dump_format
from ledgervault.model.dump_format import Part, Splitter, unescaped

HEAD = b"""-- PostgreSQL database dump

\\restrict token

SET search_path = '';

--
-- Name: f(); Type: FUNCTION; Schema: public; Owner: a
--

CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS '
--
-- Name: x; Type: CONSTRAINT; Schema: public; Owner: a
--
';

--
-- Name: t; Type: TABLE; Schema: public; Owner: a
--

CREATE TABLE public.t (a text, b text, c text);

--
-- Data for Name: t; Type: TABLE DATA; Schema: public; Owner: a
--

COPY public.t (a, b, c) FROM stdin;
--
-- Name: t_pkey; Type: CONSTRAINT; Schema: public; Owner: a
--
\\.

--
-- Name: s; Type: SEQUENCE SET; Schema: public; Owner: a
--

SELECT pg_catalog.setval('public.s', 3, true);


--
-- Data for Name: e; Type: TABLE DATA; Schema: public; Owner: a
--

COPY public.e (a) FROM stdin;
\\.


"""


REST = b"""--
-- Name: t t_pkey; Type: CONSTRAINT; Schema: public; Owner: a
--

ALTER TABLE ONLY public.t
    ADD CONSTRAINT t_pkey PRIMARY KEY (a);


--
-- Name: t_a; Type: INDEX; Schema: public; Owner: a
--

CREATE INDEX t_a ON public.t USING btree (a);


--
-- Name: t_abc; Type: INDEX; Schema: public; Owner: a
--

CREATE INDEX t_abc ON public.t USING btree (a, b, c);


--
-- Name: t_u; Type: INDEX; Schema: public; Owner: a
--

CREATE UNIQUE INDEX t_u ON public.t USING btree (b);


--
-- Name: My Index; Type: INDEX; Schema: public; Owner: a
--

CREATE INDEX "My Index" ON public.t USING btree (c);


--
-- Name: INDEX "My Index"; Type: COMMENT; Schema: public; Owner: a
--

COMMENT ON INDEX public."My Index" IS 'i';


--
-- Name: t t_fkey; Type: FK CONSTRAINT; Schema: public; Owner: a
--

ALTER TABLE ONLY public.t
    ADD CONSTRAINT t_fkey FOREIGN KEY (a) REFERENCES public.t(a);


--
-- PostgreSQL database dump complete
--

\\unrestrict token
"""


def split_dump(text: bytes, size: int) -> dict[Part, bytes]:
    """Each part's bytes, when the dump is read `size` bytes at a time."""
    told, splitter = dict.fromkeys(Part, b""), Splitter()
    for place in range(0, len(text), size):
        for part, piece in splitter.feed(text[place : place + size]):
            told[part] += piece
    for part, piece in splitter.end():
        told[part] += piece
    return told


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1 << 20])
def test_rows_and_what_stands_behind_them_are_told_apart_at_any_size_of_read(size: int) -> None:
    told = split_dump(HEAD + REST, size)
    assert told[Part.PRE_DATA] == HEAD[: HEAD.index(b"--\n-- Data for Name: t")]
    assert told[Part.TABLE] == b"COPY public.t (a, b, c) FROM stdin;\nCOPY public.e (a) FROM stdin;\n"
    assert told[Part.ROWS] == b"--\n-- Name: t_pkey; Type: CONSTRAINT; Schema: public; Owner: a\n--\n"
    assert b"SELECT pg_catalog.setval('public.s', 3, true);" in told[Part.DATA]
    assert told[Part.POST_DATA] == REST
    assert len(HEAD + REST) == sum(map(len, told.values())) + 2 * len(b"\\.\n")


@pytest.mark.parametrize("size", [1, 5, 64, 1 << 20])
def test_a_row_goes_to_one_piece_unless_it_is_longer_than_a_read(size: int) -> None:
    rows = b"".join(b"%d\t%s\n" % (number, b"x" * (number % 90)) for number in range(300))
    splitter, pieces = Splitter(), []
    text = HEAD[: HEAD.index(b"COPY ")] + b"COPY public.t (a, b) FROM stdin;\n" + rows + b"\\.\n" + REST
    for place in range(0, len(text), size):
        pieces += [piece for part, piece in splitter.feed(text[place : place + size]) if part is Part.ROWS]
    assert b"".join(pieces) == rows
    if size > 128:
        assert all(piece.endswith(b"\n") for piece in pieces)


def test_a_dump_without_rows_or_without_anything_behind_them_is_given_whole() -> None:
    for text in (b"", b"\n", b"SELECT 1;\n", b"COPY t FROM stdin;\n1\n\\.\n", HEAD[: HEAD.index(b"--\n-- Data")]):
        told = split_dump(text, 1 << 20)
        assert told == dict.fromkeys(Part, b"") | {Part.PRE_DATA: text}
    assert dump_format.split_post_data(split_dump(HEAD, 7)[Part.POST_DATA]) == dump_format.PostData((), (), ())


def test_only_plain_indexes_that_nothing_else_names_stand_alone() -> None:
    parts = dump_format.split_post_data(REST)
    assert [entry.kind for entry in parts.exclusive] == ["CONSTRAINT"]
    assert [entry.kind for entry in parts.remaining] == ["INDEX", "INDEX", "COMMENT", "FK CONSTRAINT"]
    assert [b"CREATE INDEX t_a" in entry.text for entry in parts.indexes] == [True, True]
    assert b"t_abc" in dump_format.widest_first(parts.indexes)[0].text
    assert b"unrestrict" not in parts.remaining[-1].text


KEY = b"""--
-- Name: t t_key; Type: CONSTRAINT; Schema: public; Owner: a
--

ALTER TABLE ONLY public.t
    ADD CONSTRAINT t_key UNIQUE ("A b", c);


"""


def test_a_plain_key_may_be_made_of_its_index() -> None:
    (key,) = dump_format.split_post_data(KEY).exclusive
    assert isinstance(key, dump_format.Key)
    assert (key.kind, key.text, key.table) == ("CONSTRAINT", KEY, b"public.t")
    assert key.index.text == b'CREATE UNIQUE INDEX t_key ON ONLY public.t ("A b", c)'
    assert key.attach.text == b"ALTER TABLE ONLY public.t ADD CONSTRAINT t_key UNIQUE USING INDEX t_key"


HEADING = b"--\n-- Name: %s; Schema: public; Owner: a\n--\n\n"


@pytest.mark.parametrize(
    "text",
    [
        KEY.replace(b";\n\n\n", b" DEFERRABLE;\n\n\n"),
        KEY.replace(b'("A b", c)', b'NULLS NOT DISTINCT ("A b", c)'),
        KEY.replace(b";\n\n\n", b" INCLUDE (d);\n\n\n"),
        KEY.replace(b";\n\n\n", b" WITH (fillfactor='70');\n\n\n"),
        KEY.replace(b";\n\n\n", b";\n\nALTER TABLE public.t CLUSTER ON t_key;\n\n\n"),
        KEY.replace(b'UNIQUE ("A b", c)', b"EXCLUDE USING gist (a WITH =)"),
        KEY + HEADING % b"CONSTRAINT t_key ON t; Type: COMMENT" + b"COMMENT ON CONSTRAINT t_key ON public.t IS 'k';\n",
        KEY + HEADING % b"v; Type: VIEW" + b"CREATE VIEW public.v AS SELECT 1;\n",
        KEY + HEADING % b"x; Type: INDEX ATTACH" + b"ALTER INDEX public.p ATTACH PARTITION public.x;\n",
    ],
    ids=["deferrable", "nulls", "include", "options", "clustered", "exclusion", "comment", "view", "partition"],
)
def test_a_key_with_anything_special_stays_as_it_is(text: bytes) -> None:
    assert not any(isinstance(entry, dump_format.Key) for entry in dump_format.split_post_data(text).exclusive)


@pytest.mark.parametrize(
    ("header", "table"),
    [
        (b"COPY public.t (a, b) FROM stdin;\n", b"public.t"),
        (b'COPY "My ""Schema"""."a table; (x) FROM" ("a b") FROM stdin;\n', b'"My ""Schema"""."a table; (x) FROM"'),
        ("COPY public.straße (a) FROM stdin;\n".encode(), "public.straße".encode()),
        (b"COPY public.nothing  FROM stdin;\n", b"public.nothing"),
    ],
)
def test_the_table_of_a_copy_is_found_whatever_its_name(header: bytes, table: bytes) -> None:
    assert dump_format.table_name(header) == table


def test_what_is_no_copy_line_has_no_table() -> None:
    assert dump_format.table_name(b"COPY t FROM stdin;\n") is None


def test_fields_of_a_dump_are_unescaped_as_copy_escaped_them() -> None:
    assert unescaped(rb"a\tb\nc\\d\be") == b"a\tb\nc\\d\be"
    assert unescaped(b"plain") == b"plain"
