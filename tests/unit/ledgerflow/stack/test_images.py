"""Tags, plans and refusals of role images, on trees and answers given as data."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from filter_plugins.stack import FilterModule
from ledgerflow.stack import images

ROOT = Path(__file__).resolve().parents[4]
DIGEST, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
BUILD: dict[str, Any] = {"dockerfile": "Dockerfile", "include": ["."]}
VERSIONS: dict[str, Any] = {
    "refreshed": "2026-01-01",
    "images": {
        "base": {
            "registry": {"pull": {"repository": "library/debian", "tag": "slim", "digest": DIGEST}},
            "debian": {"bootstrap": {"suite": "trixie", "packages": ["ca-certificates"]}},
        },
        "data": {
            "any": {"build": {**BUILD, "context": "images/data", "parents": {"BASE": "base"}, "args": {"UID": 5}}}
        },
        "keeper": {
            "any": {
                "build": {**BUILD, "context": "images/keeper", "parents": {"DATA": "data"}, "secrets": ["ca_bundle"]}
            }
        },
        "door": {
            "registry": {"pull": {"repository": "library/door", "tag": "2", "digest": None}},
            "debian": {"build": {**BUILD, "context": "images/door", "parents": {"BASE": "base"}, "target": "final"}},
        },
        "bare": {"any": {"build": {**BUILD, "context": "images/door"}}},
    },
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("data", "keeper", "door"):
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True)
        (folder / "Dockerfile").write_text(f"FROM ${name}\n")
    (tmp_path / "images/data/start").write_text("echo\n")
    return tmp_path


def plan(tree: Path, *wanted: str, versions: dict[str, Any] | None = None, **changes: str) -> images.Plan:
    options = {
        "root": str(tree),
        "source": "debian",
        "registry": "docker.io",
        "mirror": "",
        "security_mirror": "",
        "digests": "pinned",
        **changes,
    }
    return images.images_plan(versions or VERSIONS, wanted, options)


def items(tree: Path, *wanted: str, **changes: str) -> dict[str, images.Item]:
    return {item["name"]: item for item in plan(tree, *wanted, **changes)["items"]}


def changed(**images_changed: Any) -> dict[str, Any]:
    return {**VERSIONS, "images": {**VERSIONS["images"], **images_changed}}


def test_a_plan_names_the_wanted_images_and_all_they_are_made_from_parents_first(tree: Path) -> None:
    made = plan(tree, "keeper", "door")
    assert [item["name"] for item in made["items"]] == ["base", "data", "keeper", "door"]
    assert [item["level"] for item in made["items"]] == [0, 1, 2, 1]
    assert sorted(made["refs"]) == ["base", "data", "door", "keeper"]


def test_the_same_tree_gives_the_same_tags_whoever_wrote_it_and_whenever(tree: Path) -> None:
    before = plan(tree, "keeper")["refs"]
    os.utime(tree / "images/data/start", (1, 1))
    assert plan(tree, "keeper")["refs"] == before


@pytest.mark.parametrize("edit", ["content", "mode", "name", "link"])
def test_a_changed_file_changes_its_image_and_those_made_from_it_and_no_other(tree: Path, edit: str) -> None:
    before = plan(tree, "keeper", "door")["refs"]
    start = tree / "images/data/start"
    if edit == "content":
        start.write_text("ECHO\n")
    elif edit == "mode":
        start.chmod(0o755)
    elif edit == "name":
        start.rename(start.with_name("begin"))
    else:
        (tree / "images/data/link").symlink_to("start")
    after = plan(tree, "keeper", "door")["refs"]
    assert {name for name in after if after[name] != before[name]} == {"data", "keeper"}


@pytest.mark.parametrize("junk", ["__pycache__/x.pyc", "y.pyc", ".coverage.app", ".mypy_cache/z"])
def test_what_tools_leave_behind_is_no_content(tree: Path, junk: str) -> None:
    before = plan(tree, "data")["refs"]
    path = tree / "images/data" / junk
    path.parent.mkdir(exist_ok=True)
    path.write_text("junk")
    assert plan(tree, "data")["refs"] == before


def test_what_a_recipe_excludes_is_no_content(tree: Path) -> None:
    spec = {**VERSIONS["images"]["data"]["any"]["build"], "exclude": ["start"]}
    versions = changed(data={"any": {"build": spec}})
    assert [file[0] for file in plan(tree, "data", versions=versions)["items"][-1]["files"]] == ["Dockerfile"]


def test_only_what_is_included_is_content(tree: Path) -> None:
    spec = {"dockerfile": "images/data/Dockerfile", "context": ".", "include": ["images/keeper"]}
    files = images.context_files(tree, "data", spec)
    assert [file[0] for file in files] == ["images/data/Dockerfile", "images/keeper/Dockerfile"]


def test_a_later_date_of_refreshing_changes_what_is_made_from_packages_and_not_what_is_pulled(tree: Path) -> None:
    later = {**VERSIONS, "refreshed": "2026-02-02"}
    before, after = (
        plan(tree, "data", "door", source="registry"),
        plan(tree, "data", "door", source="registry", versions=later),
    )
    assert {name for name in after["refs"] if after["refs"][name] != before["refs"][name]} == {"data"}


def test_a_mirror_of_ones_own_brings_its_updates_along(tree: Path) -> None:
    base = items(tree, "base", mirror="http://m.example.org/d", security_mirror="http://m.example.org/s")["base"]
    assert base["sources"] == [
        "deb http://m.example.org/d trixie main",
        "deb http://m.example.org/d trixie-updates main",
        "deb http://m.example.org/s trixie-security main",
    ]
    assert items(tree, "base")["base"]["sources"] == []


def test_every_image_of_this_repository_can_be_planned_from_both_sources() -> None:
    versions = yaml.safe_load((ROOT / "images/versions.yml").read_text())
    for source in ("registry", "debian"):
        names = [name for name, ways in versions["images"].items() if "any" in ways or source in ways]
        assert set(plan(ROOT, *names, versions=versions, source=source)["refs"]) >= set(names)


def test_every_digest_of_this_repository_is_one_or_null() -> None:
    versions = yaml.safe_load((ROOT / "images/versions.yml").read_text())
    pulls = [ways["registry"]["pull"] for ways in versions["images"].values() if "pull" in ways.get("registry", {})]
    assert pulls
    for pull in pulls:
        assert pull["digest"] is None or len(bytes.fromhex(pull["digest"].removeprefix("sha256:"))) == 32


@pytest.mark.parametrize(
    ("wanted", "versions", "said"),
    [
        ("nothing", VERSIONS, "no image is called 'nothing'\nHINT: one of bare, base"),
        ("x", changed(x={"registry": {"pull": {}}}), "nothing says how it is made from source 'debian'"),
        ("x", changed(x={"any": {"brew": {}}}), "'brew' is no way to make an image"),
        ("x", changed(x={"any": {"build": {**BUILD, "context": "gone"}}}), "gone/Dockerfile: no such file or folder"),
        ("x", changed(x={"any": {"build": {"parents": {"A": "x"}}}}), "x -> x: an image cannot be its own parent"),
    ],
)
def test_a_recipe_that_cannot_work_is_refused_by_name(
    tree: Path, wanted: str, versions: dict[str, Any], said: str
) -> None:
    with pytest.raises(AnsibleFilterError) as refused:
        plan(tree, wanted, versions=versions)
    assert said in str(refused.value)


def test_parents_are_made_only_where_a_build_needs_them(tree: Path) -> None:
    made = plan(tree, "keeper", "door")
    refs = made["refs"]

    def missing(*present: str) -> list[str]:
        return [
            item["name"] for item in images.images_missing(made, ["keeper", "door"], [refs[name] for name in present])
        ]

    assert missing() == ["base", "data", "keeper", "door"]
    assert missing("keeper", "door") == []
    assert missing("data", "door") == ["keeper"]
    assert missing("base", "keeper") == ["door"]


def test_a_wave_has_nothing_that_another_of_it_needs(tree: Path) -> None:
    waves = images.images_waves(plan(tree, "keeper", "door", "bare")["items"])
    assert [[item["name"] for item in wave] for wave in waves] == [["data", "door", "bare"], ["keeper"]]


def test_bake_is_told_context_arguments_target_label_and_secret(tree: Path) -> None:
    made = items(tree, "keeper", "door")
    wanted = images.images_bake([made["keeper"], made["door"]], "/run", "/ca.pem")
    assert wanted["group"]["default"]["targets"] == ["door", "keeper"]
    keeper, door = wanted["target"]["keeper"], wanted["target"]["door"]
    assert keeper["args"] == {"DATA": made["data"]["ref"]}
    assert keeper["secret"] == ["id=ca_bundle,src=/ca.pem"]
    assert keeper["tags"] == [made["keeper"]["ref"]]
    assert keeper["labels"] == {"com.ledgerflow.image": "keeper"}
    assert door["target"] == "final"
    assert door["context"] == "/run/door"
    assert "secret" not in door
    assert "secret" not in images.images_bake([made["keeper"]], "/run", "")["target"]["keeper"]


def test_contexts_are_packed_under_their_image_with_links_as_links(tree: Path) -> None:
    (tree / "images/data/link").symlink_to("start")
    files = images.images_context(plan(tree, "data")["items"])
    assert [(file["source"], file["name"], file["mode"], file["link"]) for file in files] == [
        ("images/data/Dockerfile", "data/Dockerfile", "0644", ""),
        ("images/data/link", "data/link", "link", "start"),
        ("images/data/start", "data/start", "0644", ""),
    ]


def test_a_base_is_made_with_its_packages_and_mirrors_into_an_archive_of_its_own(tree: Path) -> None:
    made = images.images_bases([items(tree, "base", mirror="http://m.example.org/d")["base"]], "/run")
    assert made[0]["archive"] == "/run/base.tar"
    argv = made[0]["argv"]
    assert argv[0] == "mmdebstrap"
    assert "--include=ca-certificates" in argv
    assert argv[-4:-2] == ["trixie", "/run/base.tar"]
    assert argv[-1] == "deb http://m.example.org/d trixie-updates main"


def answer(place: str, digest: str) -> dict[str, Any]:
    return {"__images_item": {"place": place}, "rc": 0, "stdout": json.dumps({"digest": digest}), "stderr": ""}


def test_only_digests_that_nothing_pins_are_asked_for(tree: Path) -> None:
    pinned, recorded = (items(tree, "base", "door", source="registry", digests=way) for way in ("pinned", "recorded"))
    assert images.images_places(pinned.values()) == [{"place": "docker.io/library/door:2"}]
    assert [place["place"] for place in images.images_places(recorded.values())] == [
        "docker.io/library/debian:slim",
        "docker.io/library/door:2",
    ]


def test_everything_is_pulled_by_digest(tree: Path) -> None:
    made = items(tree, "base", "door", source="registry")
    asked = images.images_resolved_digests([answer("docker.io/library/door:2", OTHER)])
    assert images.images_pulls(made.values(), asked) == [
        {"from": f"docker.io/library/debian@{DIGEST}", "ref": made["base"]["ref"]},
        {"from": f"docker.io/library/door@{OTHER}", "ref": made["door"]["ref"]},
    ]


def test_another_digest_than_the_recorded_one_is_refused_and_the_same_or_a_first_one_is_not() -> None:
    findings = images.images_digest_findings(
        {"r/door:2": OTHER, "r/new:1": OTHER}, {"r/door:2": DIGEST}, "/state/digests.json"
    )
    assert len(findings) == 1
    assert findings[0]["where"] == "image r/door:2"
    assert DIGEST in findings[0]["what"]
    assert OTHER in findings[0]["what"]
    assert "make update-deps" in findings[0]["hint"]
    assert images.images_digest_findings({"r/door:2": DIGEST}, {"r/door:2": DIGEST}, "f") == []


def test_what_the_registry_refuses_is_told_by_image_and_its_last_word() -> None:
    results = [
        answer("r/door:2", OTHER),
        {"__images_item": {"place": "r/gone:1"}, "rc": 1, "stdout": "", "stderr": "ERROR: trying\nnot found\n"},
        {"__images_item": {"place": "r/mute:1"}, "rc": 1, "stdout": "", "stderr": ""},
    ]
    findings = images.images_registry_findings(results, "place")
    assert [finding["where"] for finding in findings] == ["image r/gone:1", "image r/mute:1"]
    assert [finding["what"] for finding in findings] == [
        "the registry answers: not found",
        "the registry answers: nothing",
    ]
    assert images.images_resolved_digests(results) == {"r/door:2": OTHER}


@pytest.mark.parametrize(
    ("registry", "url"),
    [
        ("docker.io", "https://registry-1.docker.io/v2/"),
        ("registry.example.org", "https://registry.example.org/v2/"),
        ("registry.example.org/mirror", "https://registry.example.org/v2/"),
        ("127.0.0.1:5000", "http://127.0.0.1:5000/v2/"),
        ("localhost", "http://localhost/v2/"),
        ("localhost.example.org", "https://localhost.example.org/v2/"),
    ],
)
def test_only_a_registry_on_loopback_is_asked_without_tls(registry: str, url: str) -> None:
    assert images.images_registry_url(registry) == url


GOOD = {
    "registry": "r.example.org",
    "answer": {"status": 401},
    "ca_bundle": "/ca",
    "ca_stat": {"isreg": True},
    "bootstrapper": "/usr/bin/mmdebstrap",
}


@pytest.mark.parametrize(
    ("facts", "source", "where"),
    [
        ({"answer": {"status": -1, "msg": "timed out"}}, "registry", "images_registry r.example.org"),
        ({"answer": {}}, "registry", "images_registry r.example.org"),
        ({"bootstrapper": ""}, "debian", "host"),
        ({"bootstrapper": "/usr/bin/apt-get", "root": False}, "debian", "host"),
        ({"ca_stat": {}}, "debian", "images_ca_bundle"),
    ],
)
def test_a_host_that_cannot_serve_is_refused_and_one_that_can_is_not(
    tree: Path, facts: dict[str, Any], source: str, where: str
) -> None:
    todo = plan(tree, "base", source=source)["items"]
    assert [finding["where"] for finding in images.images_findings({**GOOD, **facts}, todo)] == [where]
    assert images.images_findings(GOOD, todo) == []
    assert images.images_findings({**GOOD, "root": False}, todo) == []


@pytest.mark.parametrize("facts", [{"answer": {}, "bootstrapper": ""}, {"ca_bundle": "", "ca_stat": {}}])
def test_what_nothing_needs_is_not_asked_of_a_host(tree: Path, facts: dict[str, Any]) -> None:
    assert images.images_findings({**GOOD, **facts}, plan(tree, "bare")["items"]) == []


def image(name: str, number: int, label: str | None = None) -> dict[str, Any]:
    return {
        "Id": f"sha256:{name}{number}",
        "RepoTags": [f"ledgerflow/{name}:{number:012d}"],
        "Created": f"2026-01-0{number}",
        "Config": {"Labels": {"com.ledgerflow.image": label or name}},
    }


def retired(there: list[dict[str, Any]], used: list[str] | None = None, current: str = "ledgerflow/app:x") -> list[str]:
    return images.images_retired(there, used or [], 2, {"app": current})


def test_versions_beyond_the_newest_are_retired() -> None:
    assert retired([image("app", number) for number in (3, 1, 4, 2)]) == [
        "ledgerflow/app:000000000001",
        "ledgerflow/app:000000000002",
    ]


def test_the_time_of_tagging_counts_where_the_engine_knows_it() -> None:
    oldest = {**image("app", 1), "Metadata": {"LastTagTime": "2026-02-01"}}
    assert retired([oldest, image("app", 2), image("app", 3)]) == ["ledgerflow/app:000000000002"]


def test_what_a_container_uses_or_the_plan_names_stays() -> None:
    there = [image("app", number) for number in range(1, 5)]
    assert retired(there, used=["sha256:app1"], current="ledgerflow/app:000000000002") == []


@pytest.mark.parametrize(
    "foreign",
    [
        image("app", 1, label="other"),
        {**image("app", 1), "Config": None},
        {**image("app", 1), "RepoTags": None, "RepoDigests": ["r.example.org/app@sha256:1"]},
        {**image("vault", 1), "RepoTags": []},
        {**image("app", 1), "RepoTags": ["ledgerflow/app:latest"]},
        {**image("app", 1), "RepoTags": ["somebody/app:000000000001"]},
        image("vault", 1),
    ],
)
def test_what_is_not_ours_by_tag_and_label_and_name_is_never_retired(foreign: dict[str, Any]) -> None:
    assert retired([foreign, image("app", 2), image("app", 3)]) == []


def test_an_image_that_lost_its_tag_to_a_second_build_goes_unless_a_container_uses_it() -> None:
    lost = {**image("app", 1), "RepoTags": []}
    assert retired([lost, image("app", 2)]) == ["sha256:app1"]
    assert retired([lost, image("app", 2)], used=["sha256:app1"]) == []


def test_ansible_finds_every_filter_by_its_name() -> None:
    filters = FilterModule().filters().items()
    ours = {name: function for name, function in filters if function.__module__ == images.__name__}
    assert ours
    assert all(name == function.__name__ for name, function in ours.items())
