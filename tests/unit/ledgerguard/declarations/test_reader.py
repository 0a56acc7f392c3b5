"""Declarations are read strictly, written whole, and keep the images of five versions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledgerguard.declarations import reader
from ledgerguard.declarations.merging import join_documents, merge_into, to_json
from ledgerguard.declarations.model import Allowance, DeclarationError, Declarations, Pattern
from ledgerguard.declarations.reader import parse_declarations
from ledgerguard.lookups.declarations_file import load_declarations
from tests.unit.ledgerguard.fakes import DECLARED, GRANT, IMAGE, VOLUME

SCHEMA = Path(__file__).resolve().parents[4] / "docs/guard-declarations.schema.json"


def image(letter: str) -> str:
    return "sha256:" + letter * 64


def document(**volume: Any) -> str:
    return json.dumps({"schema": 1, "volumes": {"v": {"environment": "dev", **volume}}})


def grant(**changed: Any) -> dict[str, Any]:
    return {"grants": [{"container": "c", "images": [IMAGE], "target": "/x", **changed}]}


def test_what_is_written_is_read_again() -> None:
    known = Declarations({VOLUME: DECLARED})
    assert parse_declarations(to_json(known)) == known


def test_what_is_written_holds_to_the_published_schema() -> None:
    import jsonschema

    schema = json.loads(SCHEMA.read_text())
    jsonschema.validate(json.loads(to_json(Declarations({VOLUME: DECLARED}))), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(document(unknown=1)), schema)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "the document: expected an object"),
        ('{"schema": 3, "volumes": {}}', "schema: expected 2 (or 1), found 3"),
        ('{"schema": true, "volumes": {}}', "schema: expected 2 (or 1), found True"),
        ('{"schema": 1, "volumes": {}, "networks": []}', "unknown key 'networks'"),
        ('{"schema": 2, "volumes": {}, "networks": {}}', "networks: expected a list of texts"),
        (
            '{"schema": 2, "volumes": {}, "members": [{"container": "c", "images": [], "target": "/x"}]}',
            "has no target",
        ),
        ('{"schema": 2, "volumes": {}, "exceptions": [{"container": "c", "images": []}]}', "key 'things' is missing"),
        (document(**grant(host={})), "unknown key 'host'"),
        ('{"schema": 1}', "key 'volumes' is missing"),
        ('{"schema": 1, "volumes": []}', "volumes: expected an object"),
        ('{"schema": 1, "volumes": {"a/b": {}}}', "not a volume's name"),
        ('{"schema": 1, "volumes": {"v": {}}}', "volumes.v: key 'environment' is missing"),
        (document(profil="strict"), "unknown key 'profil'"),
        (document(profile="loose"), "expected one of standard, strict, found 'loose'"),
        (document(options={"o": 1}), "volumes.v.options.o: expected text, found 1"),
        (document(labels=[]), "expected an object of texts"),
        (document(**grant(images=["postgres:17"])), "expected an image id"),
        (document(**grant(container="/c")), "not a container's name"),
        (document(**grant(target="x")), "expected an absolute path, found 'x'"),
        (document(**grant(read_only="yes")), "expected true or false"),
        (document(**grant(entrypoint="sh")), "expected a list of texts"),
        (document(**grant(exec=[{"argv": []}])), "the first word has to be a program"),
        (document(**grant(exec=[{"argv": ["*", "x"]}])), "the first word has to be a program"),
        (document(**grant(exec=[{"argv": ["a", "**", "b"]}])), "only be the last word"),
        (document(**grant(mounts=[{"source": "/a"}])), "key 'target' is missing"),
    ],
)
def test_a_fault_is_named_with_its_place_and_value(text: str, where: str) -> None:
    with pytest.raises(DeclarationError) as raised:
        parse_declarations(text)
    assert where in str(raised.value)


def test_images_beyond_the_last_five_versions_retire() -> None:
    known = Declarations({VOLUME: DECLARED})
    for letter in "bcdefg":
        newer = replace(DECLARED, grants=(replace(GRANT, images=(image(letter),)),))
        known = merge_into(known, Declarations({VOLUME: newer}))
    assert known.volumes[VOLUME].grants[0].images == tuple(image(letter) for letter in "gfedc")


def test_declaring_one_volume_leaves_the_others() -> None:
    both = merge_into(Declarations({VOLUME: DECLARED}), Declarations({"other": replace(DECLARED, name="other")}))
    assert set(both.volumes) == {VOLUME, "other"}


def test_a_file_that_is_not_there_declares_nothing_and_a_bad_one_names_itself(tmp_path: Path) -> None:
    file = tmp_path / "volumes.json"
    assert load_declarations(file) == Declarations()
    file.write_text("{")
    with pytest.raises(DeclarationError, match=str(file)):
        load_declarations(file)


def test_the_published_schema_names_every_key_that_is_read() -> None:
    schema = json.loads(SCHEMA.read_text())
    volume = schema["properties"]["volumes"]["additionalProperties"]
    assert set(volume["properties"]) == reader._VOLUME_KEYS
    grant = schema["$defs"]["grant"]["properties"]
    assert set(grant) == reader._GRANT_KEYS
    assert set(grant["exec"]["items"]["properties"]) == set(Pattern.__dataclass_fields__)
    beside = schema["properties"]
    assert set(beside["members"]["items"]["properties"]) == reader._GRANT_KEYS - {"target"}
    assert set(beside["exceptions"]["items"]["properties"]) == set(Allowance.__dataclass_fields__)


def read_all(*volumes: dict[str, Any]) -> Declarations:
    return join_documents([parse_declarations(document(**one)) for one in volumes])


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (1, 2, 0)])
def test_several_documents_are_one_and_one_of_them_says_what_the_volume_is(order: tuple[int, ...]) -> None:
    head: dict[str, Any] = {"options": {"device": "/srv/v"}, "labels": {"a": "b"}, "profile": "strict"}
    given = (head, grant(), {**head, **grant(container="d")})
    found = read_all(*(given[number] for number in order)).volumes["v"]
    assert (found.options, found.labels, found.profile) == ({"device": "/srv/v"}, {"a": "b"}, "strict")
    assert [one.container for one in found.grants] == ["c", "d"]


def test_a_grant_may_be_given_more_commands_and_nothing_else() -> None:
    more = read_all(grant(exec=[{"argv": ["a"]}]), grant(exec=[{"argv": ["a"]}, {"argv": ["b"]}])).volumes["v"].grants
    assert [one.argv for one in more[0].exec] == [("a",), ("b",)]
    assert len(more) == 1
    with pytest.raises(DeclarationError, match="container 'c' is granted in two ways"):
        read_all(grant(), grant(user="0:0"))


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ({"environment": "prod"}, "environment: 'dev' and 'prod'"),
        ({"options": {"device": "/other"}}, "options: declared twice"),
        ({"labels": {"a": "c"}}, "labels: declared twice"),
    ],
)
def test_documents_that_disagree_about_a_volume_are_refused(second: dict[str, Any], told: str) -> None:
    with pytest.raises(DeclarationError, match=told):
        read_all({"options": {"device": "/srv/v"}, "labels": {"a": "b"}}, second)
