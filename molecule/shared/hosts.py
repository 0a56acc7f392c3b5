#!/usr/bin/env python3
"""Debian hosts as containers on the machine's engine: makes their images, starts, restarts and removes them by name.

A module of its own because molecule's scenarios and the tests of whole stacks need the same hosts, and only one place
should know what systemd and a nested engine want from a container. Standard library and the docker command only.

    molecule/shared/hosts.py start NAME --release trixie [--engine] [--ssh] [--without-systemd]
                              [--publish 127.0.0.1:8443:443]
    molecule/shared/hosts.py restart NAME
    molecule/shared/hosts.py stop NAME
    molecule/shared/hosts.py build --release bookworm [--engine]

Images are cached by content: the second start of a host takes about two seconds. An image with an engine is made by the
role docker_engine itself, so it is as new as the role.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
REPOSITORY = "ledgerflow-host"
LABEL = "com.ledgerflow.host"
RELEASES = {"bookworm": "12", "trixie": "13"}
START_SECONDS = 60.0

# What systemd as process 1 and an engine inside need. --privileged would also want capabilities a machine may lack.
RIGHTS = (
    "--cgroupns=private",
    "--cap-add=ALL",
    "--security-opt=seccomp=unconfined",
    "--security-opt=apparmor=unconfined",
    "--security-opt=systempaths=unconfined",
    "--tmpfs=/run",
    "--tmpfs=/run/lock",
    "--tmpfs=/tmp",
)


class HostError(Exception):
    """A host or its image could not be made; the text says where, what and a HINT."""


@dataclass(frozen=True)
class Host:
    """One host as it is asked for."""

    name: str
    release: str
    engine: bool = False
    systemd: bool = True
    publish: tuple[str, ...] = ()
    network: str = ""
    ssh: bool = False


# Pure: argv and tags


def run_argv(host: Host, image: str) -> list[str]:
    """The command that starts a host."""
    network = [f"--network={host.network}"] if host.network else []
    ports = [f"--publish={port}" for port in host.publish]
    boot = [] if host.systemd else ["--without-systemd"]
    name = [f"--name={host.name}", f"--hostname={host.name}", f"--label={LABEL}={host.name}"]
    return ["docker", "run", "--detach", *name, *RIGHTS, *network, *ports, image, *boot]


def digest(parts: Iterable[bytes]) -> str:
    """Twelve hex digits of a content."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()[:12]


def content_of(*places: Path) -> list[bytes]:
    """Names and bytes of all files below some places, in a fixed order."""
    files = sorted(path for place in places for path in (place.rglob("*") if place.is_dir() else [place]))
    return [
        part
        for path in files
        if path.is_file() and path.suffix != ".pyc"
        for part in (path.name.encode(), path.read_bytes())
    ]


# Effects


def output(argv: Sequence[str], what: str) -> str:
    """A command's output; HostError with its last lines if it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-25:])
        raise HostError(f"{what}: {' '.join(argv[:3])} … exited {done.returncode}:\n{last}\nHINT: run it by hand")
    return done.stdout.strip()


def exists(tag: str) -> bool:
    """Whether the engine has an image."""
    return subprocess.run(["docker", "image", "inspect", tag], capture_output=True, check=False).returncode == 0


def base_image(release: str) -> str:
    """A minimal Debian: from a registry where one answers, else from Debian's packages."""
    tag = f"{REPOSITORY}/base:{release}"
    if exists(tag):
        return tag
    if shutil.which("mmdebstrap") and os.geteuid() == 0:
        bootstrap = ["mmdebstrap", "--variant=minbase", "--quiet", release, "-"]
        with subprocess.Popen(bootstrap, stdout=subprocess.PIPE) as archive:
            done = subprocess.run(
                ["docker", "import", "-", tag], stdin=archive.stdout, capture_output=True, check=False
            )
        if archive.returncode or done.returncode:
            raise HostError(f"base of {release}: mmdebstrap exited {archive.returncode}\nHINT: {' '.join(bootstrap)}")
        return tag
    name = f"docker.io/library/debian:{release}-slim"
    output(["docker", "pull", "--quiet", name], f"base of {release} (no mmdebstrap as root, so from a registry)")
    output(["docker", "tag", name, tag], f"base of {release}")
    return tag


def host_image(release: str) -> str:
    """A host without an engine."""
    base = base_image(release)
    identity = output(["docker", "image", "inspect", "--format={{.Id}}", base], base)
    return built(f"{REPOSITORY}/{release}", HERE / "image", f"BASE_IMAGE={base}", identity)


def engine_image(release: str) -> str:
    """A host on which the role docker_engine has been applied."""
    plain = host_image(release)
    filters = [ROOT / "filter_plugins/host.py", *(ROOT / "src/ledgerflow/host").glob("*.py")]
    role = [ROOT / "roles/docker_engine" / part for part in ("defaults", "library", "tasks", "vars")]
    content = [plain.encode(), *content_of(*role, HERE / "engine.yml", *filters)]
    tag = f"{REPOSITORY}/{release}-engine:{digest(content)}"
    if not exists(tag):
        maker = Host(name=f"ledgerflow-host-maker-{release}-{os.getpid()}", release=release)
        start(maker)
        try:
            converge(maker.name, HERE / "engine.yml")
            # What must differ between two hosts, and what no test needs.
            units = "docker.socket docker containerd"
            clean = f"systemctl stop {units} && apt-get clean && rm -rf /var/lib/apt/lists/* && : > /etc/machine-id"
            output(["docker", "exec", maker.name, "sh", "-c", clean], tag)
            output(["docker", "commit", "--pause=false", maker.name, tag], tag)
        finally:
            stop(maker.name)
        retire(tag)
    return tag


def ssh_image(below: str) -> str:
    """A host that is reached over ssh, on top of one of the others."""
    return built(f"{below.split(':')[0]}-ssh", HERE / "ssh", f"HOST_IMAGE={below}", below)


def built(name: str, folder: Path, argument: str, identity: str) -> str:
    """An image by the Dockerfile of a folder, made where it is not there; `identity` is that of the one below it."""
    tag = f"{name}:{digest([identity.encode(), *content_of(folder)])}"
    if not exists(tag):
        build = ["docker", "build", "--quiet", f"--tag={tag}", f"--build-arg={argument}", str(folder)]
        output(build, f"image {tag}")
        retire(tag)
    return tag


def retire(tag: str) -> None:
    """Remove earlier versions of one of our own images that nothing uses."""
    name = tag.rsplit(":", 1)[0]
    tags = output(["docker", "image", "ls", "--format={{.Repository}}:{{.Tag}}", name], name).splitlines()
    for old in tags:
        if old != tag:
            # One that is in use stays; the next build tries again.
            subprocess.run(["docker", "image", "rm", old], capture_output=True, check=False)


def converge(name: str, playbook: Path) -> None:
    """Apply a playbook to a host by name."""
    ansible = shutil.which("ansible-playbook") or str(Path(sys.executable).parent / "ansible-playbook")
    variables = [
        "-e",
        "ansible_connection=community.docker.docker",
        "-e",
        "ansible_python_interpreter=/usr/bin/python3",
    ]
    settings = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_CACHE_PLUGIN": "memory"}
    environment = {**os.environ, **settings, "ANSIBLE_PIPELINING": "true"}
    argv = [ansible, "-i", f"{name},", *variables, str(playbook)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment, cwd=ROOT)
    if done.returncode:
        raise HostError(
            f"{playbook.name} on {name}: exited {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-1000:]}"
        )


def start(host: Host) -> str:
    """Start a host and wait until it has booted; returns its image."""
    image = engine_image(host.release) if host.engine else host_image(host.release)
    image = ssh_image(image) if host.ssh else image
    output(run_argv(host, image), f"host {host.name}")
    wait(host.name, engine=host.engine and host.systemd, systemd=host.systemd)
    return image


def wait(name: str, engine: bool, systemd: bool) -> None:
    """Until systemd, and the engine where there is one, say that they are up."""
    question = "systemctl is-system-running" if systemd else "true"
    if engine:
        question += " && docker info"
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        done = subprocess.run(
            ["docker", "exec", name, "sh", "-c", question], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return
        time.sleep(0.2)
    state = subprocess.run(
        ["docker", "exec", name, "systemctl", "list-units", "--failed", "--no-pager"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    raise HostError(f"host {name}: has not booted after {START_SECONDS:.0f} s\n{state.stdout}HINT: docker logs {name}")


def restart(name: str) -> None:
    """A reboot: every process of the host ends, then it boots again."""
    command = output(["docker", "inspect", "--format={{.Config.Image}} {{.Args}}", name], f"host {name}")
    systemd = "--without-systemd" not in command
    # Without systemd nothing ends the services in order anyway.
    output(["docker", "restart", f"--timeout={30 if systemd else 1}", name], f"host {name}")
    wait(name, engine="-engine" in command and systemd, systemd=systemd)


def stop(name: str) -> None:
    """Remove a host and its engine's data. A host that is not there is fine."""
    subprocess.run(["docker", "rm", "--force", "--volumes", name], capture_output=True, check=False)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Debian hosts as containers.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("build", "start"):
        sub = verbs.add_parser(verb)
        sub.add_argument("--release", choices=RELEASES, required=True)
        sub.add_argument("--engine", action="store_true", help="with Docker, as the role docker_engine installs it")
    sub.add_argument("--ssh", action="store_true", help="reached over ssh as user deploy, who may use sudo")
    sub.add_argument("--without-systemd", action="store_true")
    sub.add_argument("--publish", action="append", default=[], metavar="IP:PORT:PORT")
    sub.add_argument("--network", default="")
    for verb in ("start", "restart", "stop"):
        (sub if verb == "start" else verbs.add_parser(verb)).add_argument("name")
    given = parser.parse_args(arguments)
    try:
        print(act(given))
    except HostError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def act(given: argparse.Namespace) -> str:
    """Do what the command line asks for; returns what to print."""
    if given.verb == "build":
        return engine_image(given.release) if given.engine else host_image(given.release)
    if given.verb == "start":
        return start(
            Host(
                given.name,
                given.release,
                given.engine,
                not given.without_systemd,
                tuple(given.publish),
                given.network,
                given.ssh,
            )
        )
    (restart if given.verb == "restart" else stop)(given.name)
    return str(given.name)


if __name__ == "__main__":
    sys.exit(main())
