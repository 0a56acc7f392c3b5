"""The role images on the machine's engine: real builds and pulls, with state and work folders of the test's own.

Tags are content hashes, so what a test builds of this tree is what a deploy of this tree uses: it stays. What it makes
otherwise (a tree of its own, references of its registry) goes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.integration.registry import Registry, docker
from tools.kit.image_host import Host

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """References of all that Debian's packages give, made."""
    wanted = ["base", "redis", "caddy", "searxng", "adminer", "postgres", "registry"]
    result = Host(tmp_path_factory.mktemp("made")).run(wanted)
    assert result.status == 0, result.text[-4000:]
    return {name: result.refs[name] for name in wanted}


@pytest.fixture
def registry(made: dict[str, str]) -> Iterator[Registry]:
    with Registry(made["registry"]) as running:
        yield running


def fill(registry: Registry, made: dict[str, str], *names: str) -> dict[str, str]:
    """Pushes copies under the official images' names; gives the place of each."""
    images = yaml.safe_load((ROOT / "images/versions.yml").read_text())["images"]
    pulls = {name: images[name]["registry"]["pull"] for name in names}
    places = {name: f"{pull['repository']}:{pull['tag']}" for name, pull in pulls.items()}
    for name, place in places.items():
        registry.push(made[name], place)
    return places


def forget(refs: dict[str, str], *names: str) -> None:
    for name in set(names) & set(refs):
        subprocess.run(["docker", "rmi", refs[name]], capture_output=True, check=False)


def test_every_image_is_there_once_it_was_made_and_is_labelled_with_its_name(made: dict[str, str]) -> None:
    for name, reference in made.items():
        assert (
            docker("image", "inspect", "--format", '{{index .Config.Labels "com.ledgerflow.image"}}', reference) == name
        )


def test_a_second_run_changes_nothing_and_leaves_nothing_behind(host: Host, made: dict[str, str]) -> None:
    result = host.run(list(made))
    assert (result.status, result.changed) == (0, 0), result.text[-2000:]
    assert {name: result.refs[name] for name in made} == made
    assert not host.work.exists()


def test_with_the_hosts_facts_at_hand_a_run_with_nothing_to_do_starts_no_module(
    host: Host, made: dict[str, str]
) -> None:
    probe = {"engine": {"running": True}, "images": dict.fromkeys(made.values(), "sha256:0")}
    result = host.run(["redis", "caddy"], host_probe=probe)
    assert result.status == 0, result.text[-2000:]
    ours = {"include_tasks", "include_role", "set_fact", "validate_argument_spec", "assert", "copy"}
    assert {module.rsplit(".", 1)[-1] for module in result.modules} <= ours
    assert result.changed == 0


@pytest.mark.parametrize(
    ("name", "uid", "program"),
    [
        ("redis", 6379, ["redis-server", "--version"]),
        ("caddy", 2019, ["caddy", "version"]),
        ("adminer", 8082, ["php", "-r", "echo extension_loaded('pgsql') ? 'yes' : exit(1);"]),
        ("postgres", 5432, ["postgres", "--version"]),
        ("searxng", 977, ["python3", "-c", "import searx.answerers"]),
    ],
)
def test_programs_run_as_their_fixed_uid_with_nothing_allowed(
    made: dict[str, str], name: str, uid: int, program: list[str], tmp_path: Path
) -> None:
    hardened = ["--read-only", "--tmpfs", "/tmp", "--security-opt", "no-new-privileges", "--user", f"{uid}:{uid}"]
    caps = ["--cap-drop", "ALL", *(["--cap-add", "NET_BIND_SERVICE"] if name == "caddy" else [])]
    settings = tmp_path / "settings.yml"
    settings.write_text("{general: {}, search: {}, server: {secret_key: x}, ui: {static_path: ''}, engines: []}\n")
    mount = ["--volume", f"{settings}:/etc/searx/settings.yml:ro"] if name == "searxng" else []
    command = [*hardened, *caps, *mount, "--network", "none", "--entrypoint", program[0], made[name], *program[1:]]
    assert docker("run", "--rm", *command) is not None


def test_a_registry_on_loopback_serves_the_official_images_and_their_digests_are_recorded(
    host: Host, made: dict[str, str], registry: Registry
) -> None:
    names = ("base", "redis", "caddy", "searxng", "adminer")
    places = fill(registry, made, *names)
    chosen = {"images_source": "registry", "images_registry": registry.address, "images_digests": "recorded"}
    first = host.run(list(names), "preflight", "main", **chosen)
    try:
        assert first.status == 0, first.text[-4000:]
        recorded = json.loads((host.state / "digests.json").read_text())
        assert sorted(recorded) == sorted(f"{registry.address}/{place}" for place in places.values())
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in recorded.values())
        for name in names:
            assert docker("image", "inspect", "--format", "{{.Id}}", first.refs[name])
        again = host.run(list(names), **chosen)
        assert (again.status, again.changed) == (0, 0), again.text[-2000:]
    finally:
        forget(first.refs, *names)


def test_ours_are_built_on_the_registrys_debian(host: Host, made: dict[str, str], registry: Registry) -> None:
    fill(registry, made, "base")
    chosen = {"images_source": "registry", "images_registry": registry.address, "images_digests": "recorded"}
    result = host.run(["registry"], **chosen)
    try:
        assert result.status == 0, result.text[-4000:]
        assert result.refs["registry"] != made["registry"]
    finally:
        forget(result.refs, "registry", "base")


def test_a_tag_that_stands_for_other_bytes_is_refused_and_the_same_bytes_are_not(
    host: Host, made: dict[str, str], registry: Registry
) -> None:
    place = fill(registry, made, "caddy")["caddy"]
    chosen = {"images_source": "registry", "images_registry": registry.address, "images_digests": "recorded"}
    first = host.run(["caddy"], **chosen)
    assert first.status == 0, first.text[-4000:]
    recorded = json.loads((host.state / "digests.json").read_text())[f"{registry.address}/{place}"]

    forget(first.refs, "caddy")
    registry.forget()
    registry.push(made["redis"], place)
    refused = host.run(["caddy"], **chosen)
    assert refused.status != 0
    said = " ".join(refused.text.split())
    assert recorded in said
    assert "HINT: if the new one is wanted: make update-deps" in said
    assert len(set(re.findall(r"sha256:[0-9a-f]{64}", said))) == 2
    assert registry.references() == []

    registry.push(made["caddy"], place)
    allowed = host.run(["caddy"], **chosen)
    try:
        assert allowed.status == 0, allowed.text[-4000:]
    finally:
        forget(allowed.refs, "caddy")


def test_a_pinned_digest_that_the_registry_lacks_is_refused_by_name(
    host: Host, made: dict[str, str], registry: Registry
) -> None:
    fill(registry, made, "caddy")
    refused = host.run(["caddy"], images_source="registry", images_registry=registry.address)
    assert refused.status != 0
    assert f"image {registry.address}/library/caddy@sha256:" in " ".join(refused.text.split())
    assert "HINT: a registry with copies of your own: images_digests=recorded" in " ".join(refused.text.split())


def test_a_registry_that_does_not_answer_is_refused_before_anything_changes(host: Host, made: dict[str, str]) -> None:
    refused = host.run(["caddy"], "preflight", images_source="registry", images_registry="127.0.0.1:9")
    assert refused.status != 0
    said = " ".join(refused.text.split())
    assert "images_registry 127.0.0.1:9: the registry does not answer" in said
    assert "HINT: without a registry: images_source=debian" in said
    assert not host.state.exists()


def test_auto_takes_debian_where_no_registry_answers_and_stays_with_it(
    host: Host, made: dict[str, str], registry: Registry
) -> None:
    first = host.run(["redis"], images_source="auto", images_registry="127.0.0.1:9")
    assert (first.status, first.refs["redis"]) == (0, made["redis"]), first.text[-2000:]
    assert (host.state / "source").read_text() == "debian\n"
    later = host.run(["redis"], images_source="auto", images_registry=registry.address)
    assert (later.refs["redis"], later.changed) == (made["redis"], 0)
    assert host.run(["redis"], "resolve", images_source="registry").refs["redis"] != made["redis"]


def test_auto_takes_the_registry_that_answers(host: Host, registry: Registry) -> None:
    result = host.run(["redis"], "resolve", images_source="auto", images_registry=registry.address)
    explicit = host.run(["redis"], "resolve", images_source="registry", images_registry=registry.address)
    assert result.refs["redis"] == explicit.refs["redis"]


@pytest.fixture
def tree(tmp_path: Path, made: dict[str, str]) -> Iterator[Path]:
    """A repository of the test's own with two images, on the real base."""
    root = tmp_path / "tree"
    versions = yaml.safe_load((ROOT / "images/versions.yml").read_text())
    for name in ("thing", "broken"):
        folder = root / "images" / name
        folder.mkdir(parents=True)
        (folder / "Dockerfile").write_text("ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY content /content\n")
        (folder / "content").write_text("first\n")
        build = {
            "dockerfile": "Dockerfile",
            "context": f"images/{name}",
            "include": ["."],
            "parents": {"BASE_IMAGE": "base"},
        }
        versions["images"][f"t-{name}"] = {"any": {"build": build}}
    (root / "images/broken/Dockerfile").write_text(
        "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nRUN echo it was me >&2; exit 3\n"
    )
    (root / "images/versions.yml").write_text(yaml.safe_dump(versions))
    yield root
    for name in ("t-thing", "t-broken"):
        tags = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", f"ledgerflow/{name}").split()
        for tag in tags:
            docker("rmi", tag)
    shutil.rmtree(root)


def test_a_changed_file_makes_another_image_and_the_old_one_stays(host: Host, tree: Path) -> None:
    first = host.run(["t-thing"], images_root=str(tree))
    assert first.status == 0, first.text[-3000:]
    (tree / "images/thing/content").write_text("other\n")  # of the same size: see library/image_context.py
    second = host.run(["t-thing"], images_root=str(tree))
    assert second.status == 0
    contents = [
        docker("run", "--rm", "--network", "none", run.refs["t-thing"], "cat", "/content") for run in (first, second)
    ]
    assert contents == ["first", "other"]
    assert list(host.work.iterdir()) == []


def test_a_failed_build_shows_the_end_of_its_log_keeps_it_and_leaves_nothing_else(host: Host, tree: Path) -> None:
    failed = host.run(["t-thing", "t-broken"], images_root=str(tree))
    assert failed.status != 0
    assert "it was me" in failed.text
    assert "HINT: mend what the log names" in failed.text
    assert [path.name for path in host.work.iterdir()] == ["build.log"]
    assert "it was me" in (host.work / "build.log").read_text()
    good = host.run(["t-thing"], images_root=str(tree))
    assert good.status == 0


def test_a_run_killed_half_way_is_healed_by_the_next_and_its_folder_goes_after_a_day(host: Host, tree: Path) -> None:
    left = host.work / "run.dead"
    (left / "t-thing").mkdir(parents=True)
    (left / "bake.json").write_text("{")
    assert host.run(["t-thing"], images_root=str(tree)).status == 0
    assert left.exists()
    os.utime(left, (1, 1))
    (tree / "images/thing/content").write_text("later\n")
    assert host.run(["t-thing"], images_root=str(tree)).status == 0
    assert not left.exists()


def test_only_versions_beyond_the_newest_that_no_container_uses_are_retired(
    host: Host, tree: Path, made: dict[str, str]
) -> None:
    folder, label = tree / "images/thing", "com.ledgerflow.image=t-thing"
    earlier = [f"ledgerflow/t-thing:{number:012x}" for number in range(3)]
    for tag in earlier:
        (folder / "content").write_text(f"{tag}\n")
        base = f"BASE_IMAGE={made['base']}"
        docker("build", "--quiet", "--tag", tag, "--label", label, "--build-arg", base, str(folder))
    other = docker("image", "ls", "--quiet", "ledgerflow/redis")
    user = docker("create", earlier[0], "true")
    try:
        result = host.run(["t-thing"], "main", "retire", images_root=str(tree), images_kept=2)
        assert result.status == 0, result.text[-3000:]
        left = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "ledgerflow/t-thing").split()
        assert sorted(left) == sorted([earlier[0], earlier[2], result.refs["t-thing"]])
        assert docker("image", "ls", "--quiet", "ledgerflow/redis") == other
    finally:
        docker("rm", user)
