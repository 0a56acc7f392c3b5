"""Each attempt on a protected volume as a request is refused, for the right reason; its twin is allowed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ledgerguard.api.containers import parse_engine_files
from ledgerguard.api.request import Request
from ledgerguard.declarations.model import Declarations, DeclaredVolume, Grant, OtherMount
from ledgerguard.model import Image, Volume
from ledgerguard.rules.decision import decide
from ledgerguard.rules.host_config import MASKED_PATHS
from tests.unit.ledgerguard.fakes import (
    CONFIG,
    DECLARED,
    DEVICE,
    ENTRYPOINT,
    GRANT,
    HEALTH,
    IMAGE,
    LABELLED,
    LABELS,
    OPTIONS,
    OTHER_IMAGE,
    OWNER,
    OWNER_ID,
    PLAIN,
    TARGET,
    VOLUME,
    FakeLookups,
    container,
    host,
    mount,
    policy,
    request,
)  # fmt: skip

BOTH = ("standard", "strict")
SAFE_FILTER = '{"label!":{"com.ledgerflow.protect":true}}'


def verdicts(wanted: Request, known: FakeLookups | None = None) -> tuple[bool, bool]:
    """(allowed in standard, allowed in strict)."""
    found = [decide(wanted, policy(profile), known or host()) for profile in BOTH]
    assert all(one.allow or one.reason for one in found), "a refusal without a reason"
    assert all(one.line.isprintable() and len(one.line) <= 480 for one in found)
    return found[0].allow, found[1].allow


def prune(query: str, version: str = "/v1.41", **headers: str) -> Request:
    """By a client of before 1.42, whose prune takes named volumes too."""
    return request("POST", f"{version}/volumes/prune{query}", **headers)


def create(host_config: dict[str, Any] | None = None, name: str = "x", **config: Any) -> Request:
    return request(
        "POST", f"/v1.45/containers/create?name={name}", {"Image": "alpine", "HostConfig": host_config, **config}
    )


def owner(name: str = "ledger-dev-postgres", image: str = "ledgerflow/postgres:1", **changed: Any) -> Request:
    """The create request of the owner as granted, or with changes."""
    config = {
        "Image": image,
        "Entrypoint": list(ENTRYPOINT),
        "User": "5432:5432",
        "Env": ["PGDATA=/x"],
        "Healthcheck": {"Test": list(HEALTH)},
        "HostConfig": {
            "Binds": [f"{CONFIG}:/config:ro"],
            "Mounts": [{"Type": "volume", "Source": VOLUME, "Target": TARGET}],
        },
    }
    return request("POST", f"/containers/create?name={name}", config | changed)


def run(name: str, argv: list[str], **more: Any) -> Request:
    return request("POST", f"/containers/{name}/exec", {"Cmd": argv, **more})


REFUSED = {
    "volume rm": request("DELETE", f"/v1.45/volumes/{VOLUME}"),
    "volume rm of one protected by its label alone": request("DELETE", f"/v1.45/volumes/{LABELLED}"),
    "volume rm -f": request("DELETE", f"/v1.45/volumes/{VOLUME}?force=1"),
    "without a version": request("DELETE", f"/volumes/{VOLUME}"),
    "odd version": request("DELETE", f"/v1..4.5.../volumes/{VOLUME}"),
    "encoded name": request("DELETE", "/volumes/ledger%5Fdev%5Fdb%5Fdata"),
    "encoded route": request("DELETE", f"/%76olumes/{VOLUME}"),
    "encoded slash": request("DELETE", f"/volumes%2F{VOLUME}"),
    "absolute URI": request("DELETE", f"http://localhost/v1.45/volumes/{VOLUME}"),
    "absolute URI of another scheme": request("DELETE", f"x:/volumes/{VOLUME}"),
    "absolute URI with an empty authority": request("DELETE", f"x:///volumes/{VOLUME}"),
    "query like another route": request("DELETE", f"/volumes/{VOLUME}?x=/containers/a/json"),
    "doubled slash": request("DELETE", f"//volumes/{VOLUME}"),
    "dots": request("DELETE", f"/containers/../volumes/{VOLUME}"),
    "trailing slash": request("DELETE", f"/volumes/{VOLUME}/"),
    "lower case method": request("delete", f"/volumes/{VOLUME}"),
    "unknown method": request("PURGE", f"/volumes/{VOLUME}"),
    "unknown mutating route": request("POST", "/v1.99/volumes/purge"),
    "broken escape": request("DELETE", f"/volumes/%zz{VOLUME}"),
    "not UTF-8 path": request("DELETE", "/volumes/%ff"),
    "prune": prune(""),
    "prune all": prune('?filters={"all":{"true":true}}', "/v1.45"),
    "prune, all by a word": prune('?filters={"all":["t"]}', "/v1.45"),
    "prune, no version named": prune("", ""),
    "prune, the last version that takes all": prune("", "/v1.41.9"),
    "prune, value excluded only": prune('?filters={"label!":{"com.ledgerflow.protect=false":true}}'),
    "prune, two values exclude only both": prune('?filters={"label!":{"com.ledgerflow.protect":true,"other":true}}'),
    "prune, doubled filters": prune(f"?filters={{}}&filters={SAFE_FILTER}"),
    "prune, label that it has": prune('?filters={"label":["com.ledgerflow.protect"]}'),
    "prune, false value": prune('?filters={"label!":{"com.ledgerflow.protect":false}}'),
    "prune, filters not JSON": prune("?filters=x"),
    "prune, unknown filter": prune('?filters={"until":["1h"]}'),
    "prune, form in the body": prune(
        f"?filters={SAFE_FILTER}", content_type="application/x-www-form-urlencoded", content_length="12"
    ),
    "prune, form hidden behind a second content type": prune(
        f"?filters={SAFE_FILTER}", content_type="application/json", content_length="12"
    ),
    "prune, empty content type": prune(f"?filters={SAFE_FILTER}", content_type="", content_length="ABSENT"),
    "prune, chunked form": prune(f"?filters={SAFE_FILTER}", content_type="text/plain", content_length="ABSENT"),
    "prune, semicolon": prune(f"?x;filters={SAFE_FILTER}"),
    "run -v": create({"Binds": [f"{VOLUME}:/x"]}),
    "run -v of the labelled": create({"Binds": [f"{LABELLED}:/x"]}),
    "run -v nocopy": create({"Binds": [f"{VOLUME}:/x:rw,nocopy"]}),
    "run -v ro,Z": create({"Binds": [f"{VOLUME}:/x:ro,Z"]}),
    "run --mount": create({"Mounts": [{"Type": "volume", "Source": VOLUME, "Target": "/x"}]}),
    "run --mount in another case": create({"mOUNTS": [{"tYPE": "volume", "sOURCE": VOLUME, "Target": "/x"}]}),
    "read-only with a capability to remount": create({"Binds": [f"{VOLUME}:/x:ro"], "CapAdd": ["SYS_PTRACE"]}),
    "read-only but privileged": create({"Binds": [f"{VOLUME}:/x:ro"], "Privileged": True}),
    "volumes-from the owner": create({"VolumesFrom": ["ledger-dev-postgres"]}),
    "volumes-from by prefix": create({"VolumesFrom": ["1111:rw"]}),
    "bind of the directory": create({"Binds": [f"{DEVICE}:/x"]}),
    "bind below it": create({"Binds": [f"{DEVICE}/data:/x"]}),
    "bind of its parent": create({"Binds": ["/srv:/x"]}),
    "bind of the root": create({"Binds": ["/:/x"]}),
    "bind with dots": create({"Binds": [f"/home/../{DEVICE}:/x"]}),
    "bind with slashes": create({"Binds": ["//srv//ledger/dev:/x"]}),
    "bind through a link": create({"Binds": ["/home/dev/link/dev/db_data:/x"]}),
    "bind of the mountpoint": create({"Binds": [f"/var/lib/docker/volumes/{VOLUME}/_data:/x"]}),
    "bind of the data root": create({"Mounts": [{"Type": "bind", "Source": "/var/lib/docker", "Target": "/x"}]}),
    "read-only root that receives later mounts": create({"Binds": ["/:/x:ro,rslave"]}),
    "bind of the guard's files": create({"Binds": ["/etc/ledgerguard:/x"]}),
    "bind of an owner's configuration": create({"Binds": [f"{CONFIG}:/x"]}),
    "bind of root's home": create({"Binds": ["/root:/x"]}),
    "bind of somebody's keys": create({"Binds": ["/opt/dev/.ssh:/x"]}),
    "bind of what a package manager runs": create({"Binds": ["/var/lib/dpkg/info:/x"]}),
    "read-only bind that relabels": create({"Binds": [f"{DEVICE}:/x:ro,z"]}),
    "bind of /proc": create({"Binds": ["/proc:/x"]}),
    "containerd's socket": create({"Binds": ["/run/containerd/containerd.sock:/x:ro"]}),
    "volume options in a mount": create(
        {
            "Mounts": [
                {
                    "Type": "volume",
                    "Source": "new",
                    "Target": "/x",
                    "VolumeOptions": {"DriverConfig": {"Name": "local", "Options": OPTIONS}},
                }
            ]
        }
    ),
    "other volume driver": create({"Binds": ["new:/x"], "VolumeDriver": "elsewhere"}),
    "cluster mount": create({"Mounts": [{"Type": "cluster", "Source": VOLUME, "Target": "/x"}]}),
    "host configuration at the top level": create(None, Binds=[f"{VOLUME}:/x"]),
    "shell for health checks": create({}, Shell=["/bin/sh"]),
    "unknown host key": create({"Snapshot": "x"}),
    "pid=host": create({"PidMode": "host"}),
    "pid of the owner": create({"PidMode": "container:ledger-dev-postgres"}),
    "ipc of the owner": create({"IpcMode": f"container:{OWNER_ID[:12]}"}),
    "capability": create({"CapAdd": ["CAP_SYS_ADMIN"]}),
    "all capabilities": create({"CapAdd": ["all"]}),
    "disk device": create({"Devices": [{"PathOnHost": "/dev/sda", "PathInContainer": "/dev/x"}]}),
    "device rule": create({"DeviceCgroupRules": ["b *:* rwm"]}),
    "unmasked paths": create({"MaskedPaths": []}),
    "writable system paths": create({"ReadonlyPaths": []}),
    "other runtime": create({"Runtime": "mine"}),
    "owner with another command": owner(Cmd=["rm"]),
    "owner with another entrypoint": owner(Entrypoint=["/bin/sh"]),
    "owner as another user": owner(User="0"),
    "owner with another image": owner("ledger-dev-postgres", "alpine"),
    "owner with an unknown image": owner("ledger-dev-postgres", "nothing:1"),
    "owner by another name": owner("other"),
    "owner with a loader's variable": owner(Env=["LD_PRELOAD=/x.so"]),
    "owner with another health check": owner(Healthcheck={"Test": ["CMD", "rm", "-rf", TARGET]}),
    "owner in another directory": owner(WorkingDir="/x"),
    "owner with another mount": owner(
        HostConfig={"Binds": [f"{VOLUME}:{TARGET}", f"{CONFIG}:/config:ro", "/home/dev:/usr/local/bin"]}
    ),
    "owner with another target": owner(HostConfig={"Binds": [f"{VOLUME}:/x", f"{CONFIG}:/config:ro"]}),
    "owner with its configuration writable": owner(HostConfig={"Binds": [f"{VOLUME}:{TARGET}", f"{CONFIG}:/config"]}),
    "owner privileged": owner(HostConfig={"Binds": [f"{VOLUME}:{TARGET}"], "Privileged": True}),
    "volume made with other options": request("POST", "/volumes/create", {"Name": VOLUME, "Labels": LABELS}),
    "volume made without its label": request("POST", "/volumes/create", {"Name": VOLUME, "DriverOpts": OPTIONS}),
    "labelled volume made anew": request("POST", "/volumes/create", {"Name": LABELLED, "Labels": {"a": "b"}}),
    "another volume on the directory": request("POST", "/volumes/create", {"Name": "n", "DriverOpts": OPTIONS}),
    "on the directory, o=rbind alone": request(
        "POST", "/volumes/create", {"Name": "n", "DriverOpts": {"o": "rbind,rw", "device": "/srv"}}
    ),
    "overlay": request(
        "POST",
        "/volumes/create",
        {
            "DriverOpts": {
                "type": "overlay",
                "device": "overlay",
                "o": f"lowerdir=/tmp,upperdir={DEVICE},workdir=/tmp/w",
            }
        },
    ),
    "disk": request("POST", "/volumes/create", {"DriverOpts": {"type": "ext4", "device": "/dev/sda1"}}),
    "tmpfs with bind": request(
        "POST", "/volumes/create", {"DriverOpts": {"type": "tmpfs", "o": "bind", "device": DEVICE}}
    ),
    "nfs of itself": request(
        "POST", "/volumes/create", {"DriverOpts": {"type": "nfs", "o": "addr=127.0.0.1", "device": ":/srv"}}
    ),
    "volume of another driver": request("POST", "/volumes/create", {"Name": "n", "Driver": "elsewhere"}),
    "keys in another case": request("POST", "/volumes/create", {"nAME": VOLUME, "dRIVEROPTS": {}}),
    "keys in Unicode's other case": request("POST", "/volumes/create", {"Name": "n", "DriverOpt\u017f": OPTIONS}),
    "both cases": request("POST", "/volumes/create", b'{"Name":"n","DriverOpts":{},"driveropts":{"o":"bind"}}'),
    "duplicate keys": request("POST", "/volumes/create", b'{"Name":"n","DriverOpts":{},"DriverOpts":{"o":"bind"}}'),
    "escaped keys": request("POST", "/volumes/create", b'{"\\u004eame":"%s"}' % VOLUME.encode()),
    "body not shown": request("POST", "/volumes/create", content_type="application/json", content_length="2000000"),
    "body of length 0": request("POST", "/volumes/create", content_type="application/json"),
    "chunked": request("POST", "/volumes/create", content_type="application/json", content_length="ABSENT"),
    "other content type": request("POST", "/volumes/create", {"Name": "n"}, content_type="text/json"),
    "length that lies": request("POST", "/volumes/create", {"Name": "n"}, content_length="5"),
    "nesting that Python would read": request("POST", "/volumes/create", b'{"a":' + b"[" * 150 + b"]" * 150 + b"}"),
    "deep nesting": request("POST", "/volumes/create", b'{"a":' * 100_000),
    "not UTF-8": request("POST", "/volumes/create", b'{"Name":"\xff"}'),
    "UTF-16": request("POST", "/volumes/create", '{"Name":"n"}'.encode("utf-16")),
    "trailing junk": request("POST", "/volumes/create", b'{"Name":"n"}{"Name":"m"}'),
    "more than a mebibyte": request("POST", "/volumes/create", b'{"Name":"n"}' + b" " * (1 << 20)),
    "list for an object": request("POST", "/volumes/create", []),
    "number for a text": request("POST", "/volumes/create", {"Name": 5}),
    "a number without end": request("POST", "/volumes/create", b'{"Name":' + b"9" * 5000 + b"}"),
    "exec in the owner": run("ledger-dev-postgres", ["rm", "-rf", TARGET]),
    "exec by prefix": run("1111", ["rm", "-rf", TARGET]),
    "exec with environment": run("ledger-dev-postgres", ["pg_isready"], Env=["LD_PRELOAD=/x"]),
    "exec in a directory": run("ledger-dev-postgres", ["pg_isready"], WorkingDir="/x"),
    "exec privileged": run("ledger-dev-postgres", ["pg_isready"], Privileged=True),
    "exec as root": run("ledger-dev-postgres", ["pg_isready"], User="0"),
    "exec of psql as the owner's own user": run("ledger-dev-postgres", ["psql", "-c", "\\! rm -rf /"]),
    "exec with one word more": run("ledger-dev-postgres", ["pg_isready", "-x"]),
    "exec where `*` would be an option": run("ledger-dev-postgres", ["psql", "-c", "-x"], User="65534"),
    "exec in a foreign holder": run("foreign", ["pg_isready"]),
    "privileged exec in a reader": run("reader", ["mount"], Privileged=True),
    "start of what was refused": request("POST", "/exec/e2/start", {"Detach": False}),
    "start of a privileged one in a reader": request("POST", "/exec/e4/start", {}),
    "start of an unknown exec": request("POST", "/exec/e9/start", {}),
    "removal with v, a word that only Go takes for true": request("DELETE", "/containers/nameless?v=%1f&force=1"),
    "attach, a word that only Go takes for true": request(
        "POST", "/containers/ledger-dev-postgres/attach?stdin=%1c&stream=1"
    ),
    "read-only mount with a tmpfs that remounts it": create(
        {"Binds": [f"{VOLUME}:/x:ro"], "Tmpfs": {"/x/": "remount"}}
    ),
    "the same among other options": create({"Tmpfs": {"/x": "size=1m,bind"}}),
    "the same as a mount": create(
        {"Mounts": [{"Type": "tmpfs", "Target": "/x", "TmpfsOptions": {"Options": [["exec"], ["remount"]]}}]}
    ),
    "attach, a form behind another content type": request(
        "POST", "/containers/ledger-dev-postgres/attach?stream=1", b"stdin=1", content_type="text/plain"
    ),
    "pid of the owner by a link's name": create({"PidMode": "container:a/db"}),
    "ipc of the owner by a link's name": create({"IpcMode": "container:a/db"}),
    "volumes-from by a link's name": create({"VolumesFrom": ["a/db:ro"], "AutoRemove": True}),
    "bind of /proc, read-only": create({"Binds": ["/proc:/x:ro"]}),
    "bind below /proc, read-only": create({"Binds": ["/proc/1:/x:ro"]}),
    "driver of anonymous volumes": create({"VolumeDriver": "../../../srv/evil"}, Volumes={"/x": {}}),
    "driver of a nameless bind": create({"VolumeDriver": "../../../srv/evil", "Binds": ["/x"]}),
    "log driver of a path": create({"LogConfig": {"Type": "../../../srv/evil"}}),
    "network driver of a path": request("POST", "/networks/create", {"Name": "n", "Driver": "../../../srv/evil"}),
    "address manager of a path": request("POST", "/networks/create", {"Name": "n", "IPAM": {"Driver": "../evil"}}),
    "the runtime's annotations": create({"Annotations": {"org.systemd.property.Conflicts": "['srv.mount']"}}),
    "some system paths unmasked": create({"MaskedPaths": ["/proc/kcore", "/proc/timer_list", "/sys/firmware"]}),
    "mountpoints bound read-only, where later ones appear": create({"Binds": ["/var/lib/docker/volumes:/x:ro"]}),
    "exec in nobody knows what": run("nobody", ["ls"]),
    "copy in": request("PUT", "/containers/ledger-dev-postgres/archive?path=/", content_type="application/x-tar"),
    "copy into a reader": request("PUT", "/containers/reader/archive?path=/", content_type="application/x-tar"),
    "attach to the input": request("POST", "/containers/ledger-dev-postgres/attach?stdin=1&stream=1"),
    "attach, odd truth": request("POST", "/containers/ledger-dev-postgres/attach?stdin=on"),
    "attach by web socket": request("GET", "/v1.45/containers/ledger-dev-postgres/attach/ws?stdin=1"),
    "attach by web socket, encoded": request("GET", "/containers/ledger-dev-postgres/%61ttach%2Fws"),
    "start of a foreign holder": request("POST", "/containers/foreign/start"),
    "restart of a foreign holder": request("POST", "/containers/3333/../2222/restart"),
    "restart of a foreign holder by prefix": request("POST", "/containers/2222/restart?t=0"),
    "restart policy for a foreign holder": request(
        "POST", "/containers/foreign/update", {"RestartPolicy": {"Name": "always"}}
    ),
    "start with a body": request("POST", "/v1.23/containers/plain/start", {"Binds": [f"{VOLUME}:/x"]}),
    "start from a checkpoint": request("POST", "/containers/plain/start?checkpoint=a&checkpoint-dir=/srv"),
    "start of a container with a bind of the directory": request("POST", "/containers/binder/start"),
    "exec in it": run("binder", ["ls"]),
    "copy into it": request("PUT", "/containers/7777/archive?path=/", content_type="application/x-tar"),
    "attach to it": request("POST", "/containers/binder/attach?stdin=1"),
    "volumes-from it, writable": create({"VolumesFrom": ["binder"]}),
    "owner of another's processes": owner(
        HostConfig={"Binds": [f"{VOLUME}:{TARGET}", f"{CONFIG}:/config:ro"], "PidMode": "container:plain"}
    ),
    "owner with a tmpfs over its data": owner(
        HostConfig={"Binds": [f"{VOLUME}:{TARGET}", f"{CONFIG}:/config:ro"], "Tmpfs": {f"{TARGET}/./data": ""}}
    ),
    "owner with an odd mode": owner(HostConfig={"Binds": [f"{VOLUME}:{TARGET}:Z", f"{CONFIG}:/config:ro"]}),
    "bind that cannot be read": create({"Binds": ["a:b:c:d"]}),
    "unknown key in a mount": create(
        {"Mounts": [{"Type": "bind", "Source": "/opt", "Target": "/x", "ImageOptions": {"a": 1}}]}
    ),
    "unknown key in a volume": request("POST", "/volumes/create", {"Name": "n", "Spec": "x"}),
    "cluster volume": request("POST", "/volumes/create", {"Name": "n", "ClusterVolumeSpec": {"Group": "x"}}),
    "bind-backed volume of a relative directory": request(
        "POST", "/volumes/create", {"Name": "n", "DriverOpts": {"type": "none", "o": "bind", "device": "srv"}}
    ),
    "prune, filter of another type": prune('?filters={"label!":"com.ledgerflow.protect"}'),
    "rename of the running owner": request("POST", "/containers/ledger-dev-postgres/rename?name=x"),
    "swarm": request("POST", "/swarm/init", {}),
    "service": request("POST", "/services/create", {}),
    "plugin disable": request("POST", "/plugins/ledgerguard/disable"),
    "checkpoint deletion": request("DELETE", "/containers/plain/checkpoints/x?dir=/srv"),
}
STANDARD_ONLY = {
    "sockets' places, read-only": create({"Binds": ["/run:/x:ro"]}),
    "the engine's own files, read-only": create({"Binds": ["/var/lib/docker/overlay2:/x:ro"]}),
    "a desktop's socket": create({"Binds": ["/run/user/1000/wayland-0:/tmp/w"]}),
    "privileged with the system's places": create({"Privileged": True, "Binds": ["/dev:/dev", "/sys/fs/cgroup:/c"]}),
    "graphics and a serial port": create(
        {"Devices": [{"PathOnHost": "/dev/dri/renderD128"}, {"PathOnHost": "/dev/ttyUSB0"}]}
    ),
    "setting the clock": create({"CapAdd": ["SYS_TIME"]}),
    "system bus, read-only": create({"Binds": ["/run/dbus/system_bus_socket:/x:ro"]}),
    "temporary files of the host, read-only": create({"Binds": ["/tmp:/x:ro"]}),
    "programs of the host": create({"Binds": ["/opt:/x"]}),
    "homes of the host": create({"Binds": ["/home:/x"]}),
    "logs to a socket": create({"LogConfig": {"Type": "syslog", "Config": {"syslog-address": " unix:///run/x"}}}),
    "a build in the host's network": request(
        "POST", "/build?networkmode=host", b"tar", content_type="application/x-tar"
    ),
    "cAdvisor": create(
        {
            "Privileged": True,
            "Binds": ["/:/rootfs:ro", "/var/run:/var/run:ro", "/sys:/sys:ro", "/var/lib/docker/:/var/lib/docker:ro"],
        }
    ),
    "a receiver of later mounts that is privileged": create({"Privileged": True, "Binds": ["/:/host:ro,rslave"]}),
    "privileged": create({"Privileged": True, "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"]}),
    "engine's socket": create({"Binds": ["/var/run/docker.sock:/var/run/docker.sock"]}),
    "read-only root": create({"Binds": ["/:/rootfs:ro", "/var/run:/var/run:ro", "/sys:/sys:ro"]}),
    "network=host": create({"NetworkMode": "host"}),
    "ptrace": create({"CapAdd": ["SYS_PTRACE"], "SecurityOpt": ["seccomp=unconfined"]}),
    "source code of a person": create({"Binds": ["/home/dev/app:/app"]}),
    "bind-backed volume": request(
        "POST", "/volumes/create", {"Name": "n", "DriverOpts": {"type": "none", "o": "bind", "device": "/opt/x"}}
    ),
    "privileged exec elsewhere": run("plain", ["sh"], Privileged=True),
}
ALLOWED = {
    "a network": request("POST", "/networks/create", {"Name": "n", "Driver": "bridge", "IPAM": {"Driver": "default"}}),
    "a network of a plugin": request("POST", "/networks/create", {"Name": "n", "Driver": "weave"}),
    "logs to a plugin": create({"LogConfig": {"Type": "grafana/loki-docker-driver:latest"}}),
    "attach to the output, as the command line does": request(
        "POST", "/containers/ledger-dev-postgres/attach?stdout=1&stream=1", content_type="text/plain"
    ),
    "removal of a network with an odd name": request("DELETE", "/networks/_old%20one"),
    "a build": request("POST", "/build?t=x&networkmode=default", b"tar", content_type="application/x-tar"),
    "logs of its own": create({"LogConfig": {"Type": "json-file", "Config": {"max-size": "10m"}}}),
    "logs to a server": create({"LogConfig": {"Type": "syslog", "Config": {"syslog-address": "udp://198.51.100.7"}}}),
    "tmpfs": create({"Tmpfs": {"/run": "", "/tmp": "rw,noexec,nosuid,size=64m,mode=1777"}}),
    "tmpfs as a mount": create(
        {"Mounts": [{"Type": "tmpfs", "Target": "/x", "TmpfsOptions": {"SizeBytes": 9, "Options": [["exec"]]}}]}
    ),
    "an image as a mount": create(
        {"Mounts": [{"Type": "image", "Source": "alpine", "Target": "/x", "ImageOptions": {"Subpath": "etc"}}]}
    ),
    "the engine's own masks": create({"MaskedPaths": [*sorted(MASKED_PATHS), "/sys/devices/virtual/powercap"]}),
    "logs of other containers, read-only": create({"Binds": ["/var/lib/docker/containers:/x:ro"]}),
    "volume rm of another": request("DELETE", f"/volumes/{PLAIN}"),
    "volume rm of what is not there": request("DELETE", "/volumes/nothing"),
    "prune with the label excluded": prune(f"?filters={SAFE_FILTER}"),
    "prune of nameless volumes": prune("", "/v1.42"),
    "the same, another way": prune('?filters={"label!":{"other":true}}', "/v1.45"),
    "the same, as a list": prune('?filters={"label!":["com.ledgerflow.protect"]}'),
    "prune of others by their label": prune('?filters={"label":{"mine":true},"all":{"true":true}}'),
    "prune by the command line, encoded": prune(
        "?filters=%7B%22label%21%22%3A%7B%22com.ledgerflow.protect%22%3Atrue%7D%7D", content_type="text/plain"
    ),
    "volume create": request("POST", "/volumes/create", {"Name": "n"}),
    "volume create, tmpfs": request(
        "POST", "/volumes/create", {"DriverOpts": {"type": "tmpfs", "device": "tmpfs", "o": "size=9m,uid=5"}}
    ),
    "declared volume exactly as declared": request(
        "POST", "/v1.45/volumes/create", {"Name": VOLUME, "Driver": "local", "DriverOpts": OPTIONS, "Labels": LABELS}
    ),
    "labelled volume unchanged": request(
        "POST", "/volumes/create", {"Name": LABELLED, "Driver": "local", "Labels": LABELS}
    ),
    "new labelled volume": request("POST", "/volumes/create", {"Name": "new", "Labels": LABELS}),
    "ordinary container": create({"Binds": [f"{PLAIN}:/x", "/srv/web:/y", "/etc/ssl:/z:ro"], "Memory": 5}),
    "compose's keys": create(
        {"NetworkMode": "bridge", "RestartPolicy": {"Name": "always"}, "LogConfig": {}}, Labels={"A": "1", "a": "2"}
    ),
    "the SDK's empty keys": create({}, Runtime=None, Memory=0, MemorySwap=None),
    "run -v VOL:/x:ro": create({"Binds": [f"{VOLUME}:/x:ro"]}),
    "volumes-from, read-only": create({"VolumesFrom": ["ledger-dev-postgres:ro"]}),
    "the owner": owner(),
    "the owner with a tmpfs elsewhere": owner(
        HostConfig={"Binds": [f"{VOLUME}:{TARGET}", f"{CONFIG}:/config:ro"], "Tmpfs": {"/tmp": "size=1m"}}
    ),
    "the owner while compose replaces it": owner("0123456789ab_ledger-dev-postgres"),
    "start of the owner": request("POST", "/containers/ledger-dev-postgres/start", content_length="ABSENT"),
    "restart of the owner": request("POST", "/containers/ledger-dev-postgres/restart?t=5"),
    "start of a reader": request("POST", "/containers/reader/start"),
    "attach to the output": request("POST", "/containers/ledger-dev-postgres/attach?stdout=1&stream=1&stdin=0"),
    "attach to another": request("POST", "/containers/plain/attach?stdin=1"),
    "attach to a reader": request("POST", "/containers/reader/attach?stdin=1"),
    "exec pg_isready": run("ledger-dev-postgres", ["pg_isready"]),
    "exec as another user as granted": run("ledger-dev-postgres", ["psql", "-c", "select 1"], User="65534"),
    "exec with any words as granted": run("ledger-dev-postgres", ["pg_dump", "-Fc", "ledger"]),
    "exec started": request("POST", "/exec/e1/start", {"Detach": True}),
    "exec elsewhere": run("plain", ["rm", "-rf", "/x"], Env=["A=1"]),
    "exec elsewhere started": request("POST", "/exec/e3/start", {}),
    "exec in a reader": run("reader", ["cat", "/x/file"]),
    "copy out": request("GET", "/containers/ledger-dev-postgres/archive?path=/var"),
    "copy into another": request("PUT", "/containers/plain/archive?path=/", content_type="text/plain"),
    "logs": request("GET", "/containers/ledger-dev-postgres/logs?follow=1"),
    "stop": request("POST", "/containers/ledger-dev-postgres/stop", content_type="text/plain"),
    "kill": request("POST", "/containers/ledger-dev-postgres/kill?signal=TERM"),
    "rm of the owner": request("DELETE", "/containers/ledger-dev-postgres?force=1"),
    "rm -v of the owner, its volume is named": request("DELETE", "/containers/ledger-dev-postgres?v=1"),
    "rename of another": request("POST", "/containers/plain/rename?name=x"),
    "build": request("POST", "/build?t=x", content_type="application/x-tar", content_length="ABSENT"),
    "buildkit": request("POST", "/session", content_length="ABSENT"),
    "pull": request("POST", "/images/create?fromImage=alpine&tag=3", content_type="text/plain"),
    "tag": request("POST", "/images/ledgerflow/postgres:1/tag?repo=x"),
    "network": request("POST", "/networks/create", {"Name": "x"}),
    "ping": request("GET", "/_ping"),
    "HEAD": request("HEAD", "/_ping"),
    "events": request("GET", "/v1.45/events?filters=%7B%7D"),
    "info, encoded": request("GET", "/%69nfo"),
}


@pytest.mark.parametrize("attempt", REFUSED)
def test_an_attempt_is_refused_in_both_profiles(attempt: str) -> None:
    assert verdicts(REFUSED[attempt]) == (False, False)


@pytest.mark.parametrize("twin", ALLOWED)
def test_its_twin_is_allowed_in_both_profiles(twin: str) -> None:
    assert verdicts(ALLOWED[twin]) == (True, True), decide(ALLOWED[twin], policy("strict"), host()).reason


@pytest.mark.parametrize("tool", STANDARD_ONLY)
def test_what_developers_tools_need_is_allowed_in_standard_alone(tool: str) -> None:
    assert verdicts(STANDARD_ONLY[tool]) == (True, False), decide(STANDARD_ONLY[tool], policy(), host()).reason


@pytest.mark.parametrize("attempt", {**REFUSED, **STANDARD_ONLY})
def test_when_nothing_can_be_looked_up_it_is_still_refused(attempt: str) -> None:
    known = replace(host(), broken=True)
    assert not decide({**REFUSED, **STANDARD_ONLY}[attempt], policy("strict"), known).allow


def test_an_error_of_our_own_is_a_refusal_with_its_name() -> None:
    class Wrong(FakeLookups):
        def volumes(self) -> dict[str, Volume]:
            raise ZeroDivisionError("ours")

    found = decide(request("DELETE", f"/volumes/{PLAIN}"), policy(), Wrong())
    assert not found.allow
    assert "ZeroDivisionError: ours" in found.line


def test_the_message_names_the_volume_and_the_safe_command() -> None:
    line = decide(REFUSED["volume rm"], policy(), host()).line
    assert VOLUME in line
    assert "instead: docker compose down (without -v), or ledgerguard unlock" in line
    assert "docker volume rm NAME" in decide(REFUSED["prune"], Policyless, host()).line
    assert "-af" not in decide(REFUSED["prune"], Policyless, host()).line


Policyless = replace(policy(), declarations=Declarations())


def test_a_prune_is_refused_while_a_declared_volume_has_no_label() -> None:
    known = host()
    known.volumes_by_name[VOLUME] = Volume(VOLUME)
    found = decide(ALLOWED["prune with the label excluded"], policy(), known)
    assert not found.allow
    assert "docker volume rm NAME" in found.safe


@pytest.mark.parametrize("wanted", ["the owner", "start of the owner", "run -v VOL:/x:ro"])
def test_a_declared_volume_without_a_record_is_held_by_nobody(wanted: str) -> None:
    known = host()
    del known.volumes_by_name[VOLUME]
    assert verdicts(ALLOWED[wanted], known) == (False, False)
    assert verdicts(ALLOWED["declared volume exactly as declared"], known) == (True, True)


def test_read_only_is_not_enough_where_the_engine_leaves_what_is_below_writable() -> None:
    known = replace(host(), recursive=False, mounts=("/proc", f"/var/lib/docker/volumes/{VOLUME}/_data"))
    assert not decide(STANDARD_ONLY["read-only root"], policy(), known).allow
    assert decide(STANDARD_ONLY["read-only root"], policy(), replace(known, mounts=("/proc",))).allow


def test_a_link_swapped_after_creation_is_found_at_the_start() -> None:
    known = host()
    known.all_containers.append(container("5" * 64, "swapped", mount("/home/dev/code")))
    start = request("POST", "/containers/swapped/start")
    assert decide(start, policy(), known).allow
    known.links["/home/dev/code"] = DEVICE
    assert not decide(start, policy(), known).allow


@pytest.mark.parametrize(
    ("source", "again"),
    {
        "/mnt/disk/ledger/dev/db_data": {"/mnt/disk": "/srv"},
        "/mnt/disk/ledger": {"/mnt/disk": "/srv"},
        "/mnt/copy/data": {"/mnt/copy": DEVICE},
        "/mnt": {"/mnt/copy": f"{DEVICE}/data"},
        "/mnt/volumes": {"/mnt/volumes": "/var/lib/docker/volumes"},
    }.items(),
)
def test_a_directory_is_known_by_where_it_lies_and_not_by_its_path(source: str, again: dict[str, str]) -> None:
    """What /etc/fstab mounts twice; no link tells."""
    known = replace(host(), mounts=tuple(again))
    assert verdicts(create({"Binds": [f"{source}:/x"]}), known) == (True, True), "nothing is mounted twice"
    known.mounted_again = again
    assert verdicts(create({"Binds": [f"{source}:/x"]}), known) == (False, False)
    assert verdicts(create({"Mounts": [{"Type": "bind", "Source": source, "Target": "/x"}]}), known) == (False, False)
    device = request("POST", "/volumes/create", {"Name": "n", "DriverOpts": {"o": "bind", "device": source}})
    assert verdicts(device, known) == (False, False)
    known.all_containers.append(container("8" * 64, "before", mount(source)))
    for deed in (request("POST", "/containers/before/start"), run("before", ["rm", "-rf", "/x"])):
        assert verdicts(deed, known) == (False, False)
    assert verdicts(create({"Binds": [f"{source}:/x:ro"]}), known)[0]


@pytest.mark.parametrize(
    ("source", "there"),
    [
        ("/srv/big/labelled", {"links": {f"/var/lib/docker/volumes/{LABELLED}/_data": "/srv/big/labelled"}}),
        (f"/srv/big/{LABELLED}/_data", {"links": {"/var/lib/docker/volumes": "/srv/big"}}),
        ("/srv/big/x", {"mounted_again": {f"/var/lib/docker/volumes/{LABELLED}/_data": "/srv/big/x"}}),
        ("/srv/pg", {"mounts": (f"{DEVICE}/data/pg",), "mounted_again": {f"{DEVICE}/data/pg": "/srv/pg"}}),
    ],
)
def test_data_that_the_host_has_put_elsewhere_is_protected_there(source: str, there: dict[str, Any]) -> None:
    wanted = create({"Binds": [f"{source}:/x"]})
    assert verdicts(wanted) == (True, True), "nothing is there"
    assert verdicts(wanted, replace(host(), **there)) == (False, False)


def test_what_holds_the_data_by_a_volume_of_its_own_is_a_holder() -> None:
    """Made while the link led elsewhere; copying into it asks for no start."""
    known = host()
    known.volumes_by_name["evil"] = Volume("evil", options={"type": "none", "o": "bind", "device": "/home/dev/evil"})
    known.all_containers.append(container("8" * 64, "made", mount("evil")))
    copy = request("PUT", "/containers/made/archive?path=/x", content_type="application/x-tar")
    assert verdicts(copy, known) == (True, True)
    known.links["/home/dev/evil"] = DEVICE
    for deed in (copy, run("made", ["rm", "-rf", "/x"]), create({"PidMode": "container:made"})):
        assert verdicts(deed, known) == (False, False)


def test_in_strict_no_link_may_stand_where_others_can_turn_it() -> None:
    known = replace(host(), links={"/srv/dev/link": "/srv/web"}, swappable=("/srv/dev",))
    assert verdicts(create({"Binds": ["/srv/dev/link:/x"]}), known) == (True, False)


def test_a_mount_below_counts_only_where_it_is_mounted_along() -> None:
    known = replace(host(), mounts=("/mnt/copy",), mounted_again={"/mnt/copy": DEVICE})
    bind = {"Type": "bind", "Source": "/mnt", "Target": "/x", "BindOptions": {"NonRecursive": True}}
    assert verdicts(create({"Mounts": [bind]}), known) == (True, True)


@pytest.mark.parametrize("system", ["/etc", "/var/lib/docker", "/run", CONFIG])
def test_a_second_place_of_the_system_is_the_system(system: str) -> None:
    known = replace(host(), mounted_again={"/mnt/root": system})
    assert verdicts(create({"Binds": ["/mnt/root:/x"]}), known) == (False, False)


def test_a_second_place_of_a_socket_is_a_sockets_place() -> None:
    known = replace(host(), mounted_again={"/mnt/run": "/run"})
    assert verdicts(create({"Binds": ["/mnt/run/containerd:/x:ro"]}), known) == (False, False)
    assert verdicts(create({"Binds": ["/mnt/run:/x:ro"]}), known) == (True, False)


@pytest.mark.parametrize("mode", ["", ":ro"])
def test_a_link_that_is_another_for_each_process_is_not_known_to_be_good(mode: str) -> None:
    known = replace(host(), links={"/home/dev/link": "/proc/self/cwd"}, recursive=False)
    assert verdicts(create({"Binds": [f"/home/dev/link/x:/x{mode}"]}), known) == (False, False)


@pytest.mark.parametrize(("version", "allowed"), {"/v1.43": False, "/v1.43.9": False, "/v1.44": True, "": True}.items())
def test_an_old_api_leaves_what_is_below_a_read_only_bind_writable(version: str, allowed: bool) -> None:
    known = replace(host(), mounts=("/mnt/copy",), mounted_again={"/mnt/copy": DEVICE})
    wanted = request(
        "POST", f"{version}/containers/create?name=x", {"Image": "a", "HostConfig": {"Binds": ["/mnt:/x:ro"]}}
    )
    assert verdicts(wanted, known) == (allowed, allowed)


def test_the_container_it_made_is_not_started_either() -> None:
    """The old API's mark is kept in the mount point alone."""
    known = replace(host(), mounts=("/mnt/copy",), mounted_again={"/mnt/copy": DEVICE})
    point = {"Type": "bind", "Source": "/mnt", "Destination": "/x", "RW": False, "Spec": {"Source": "/mnt"}}
    start = request("POST", "/containers/old/start")
    for options, allowed in ((None, True), ({"ReadOnlyNonRecursive": True}, False)):
        kept = {**point, "Spec": {"Source": "/mnt", "BindOptions": options}}
        config = {"ID": "6" * 64, "Name": "/old", "Config": {}, "State": {}, "MountPoints": {"/x": kept}}
        known.all_containers = [parse_engine_files(config, {"Binds": ["/mnt:/x:ro"]}, None)]
        assert verdicts(start, known) == (allowed, allowed)


def test_where_the_engine_makes_a_mount_a_receiver_it_is_judged_by_its_path() -> None:
    """It marks what overlaps its own directory, whatever was asked."""
    known = host()
    start = request("POST", "/containers/reads/start")
    found = {}
    for path in ("/", "/var/lib/docker", "/var/lib/docker/volumes", "/var/lib/docker/containers", "/var"):
        point = {"Type": "bind", "Source": path, "Destination": "/x", "RW": False, "Propagation": "rslave", "Spec": {}}
        config = {"ID": "6" * 64, "Name": "/reads", "Config": {}, "State": {}, "MountPoints": {"/x": point}}
        known.all_containers = [parse_engine_files(config, {"Binds": [f"{path}:/x:ro"]}, None)]
        found[path] = verdicts(start, known)
    assert found == {
        "/": (True, False),
        "/var/lib/docker": (False, False),
        "/var/lib/docker/volumes": (False, False),
        "/var/lib/docker/containers": (True, True),
        "/var": (False, False),
    }


@pytest.mark.parametrize(
    ("volume", "place"), [(VOLUME, DEVICE), (LABELLED, f"/var/lib/docker/volumes/{LABELLED}/_data")]
)
def test_a_reader_does_not_fill_an_empty_volume_from_its_image(volume: str, place: str) -> None:
    known = replace(host(), empty=(place,))
    assert verdicts(create({"Binds": [f"{volume}:/etc:ro"]}), known) == (False, False)
    assert verdicts(create({"Binds": [f"{volume}:/etc:ro,nocopy"]}), known) == (True, True)
    mount = {"Type": "volume", "Source": volume, "Target": "/etc", "ReadOnly": True}
    assert verdicts(create({"Mounts": [mount]}), known) == (False, False)
    assert verdicts(create({"Mounts": [{**mount, "VolumeOptions": {"NoCopy": True}}]}), known) == (True, True)
    assert verdicts(ALLOWED["the owner"], known) == (True, True)
    assert verdicts(request("POST", "/containers/reader/start"), known) == (True, True), "it was made before"


SCRATCH = "ledger_dev_scratch"
FAR = {"type": "nfs", "o": "addr=198.51.100.7", "device": ":/x"}
FAR_MOUNT = {"VolumeOptions": {"DriverConfig": {"Name": "local", "Options": FAR}}}
VAULT = replace(GRANT, container="vault", mounts=(OtherMount(SCRATCH, "/scratch"),))


@pytest.mark.parametrize(
    ("wanted", "allowed"),
    [
        (create({"Binds": [f"{SCRATCH}:/x"]}), False),
        (create({"Mounts": [{"Type": "volume", "Source": SCRATCH, "Target": "/x"}]}), False),
        (create({"Binds": [f"{SCRATCH}:/x:ro"]}), True),
        (create({"Binds": [f"{SCRATCH}:/x"]}, name="vault"), False),
        (create({"Binds": [f"{PLAIN}:/x"]}), True),
        (request("POST", "/volumes/create", {"Name": SCRATCH}), True),
        (request("POST", "/volumes/create", {"Name": SCRATCH, "DriverOpts": {"type": "tmpfs", "device": "t"}}), True),
        (
            request("POST", "/volumes/create", {"Name": SCRATCH, "DriverOpts": {"o": "bind", "device": "/home/x"}}),
            False,
        ),
        (request("POST", "/volumes/create", {"Name": SCRATCH, "DriverOpts": FAR}), False),
        (
            create({"Mounts": [{"Type": "volume", "Source": SCRATCH, "Target": "/x", "ReadOnly": True, **FAR_MOUNT}]}),
            False,
        ),
        (owner(name="vault", HostConfig={"Binds": [f"{VOLUME}:{TARGET}", f"{SCRATCH}:/scratch"]}), True),
    ],
)
def test_what_an_owner_works_with_is_written_by_it_alone(wanted: Request, allowed: bool) -> None:
    declared = Declarations({VOLUME: replace(DECLARED, grants=(GRANT, VAULT))})
    for profile in BOTH:
        found = decide(wanted, replace(policy(profile), declarations=declared), host())
        assert found.allow is allowed, found.reason


def test_it_can_be_unlocked() -> None:
    declared = Declarations({VOLUME: replace(DECLARED, grants=(GRANT, VAULT))})
    wanted = create({"Binds": [f"{SCRATCH}:/x"]})
    refused = decide(wanted, replace(policy(), declarations=declared), host())
    assert (refused.volumes, refused.operation) == ((SCRATCH,), "mount")
    assert decide(wanted, replace(policy(), declarations=declared, unlocked=frozenset(refused.volumes)), host()).allow


@pytest.mark.parametrize(
    "deed",
    [
        request("POST", "/containers/odd/start"),
        request("POST", "/containers/6666/update", {"Memory": 9}),
        request("POST", "/containers/odd/attach?stdin=1"),
        request("PUT", "/containers/odd/archive?path=/", content_type="application/x-tar"),
        request("DELETE", "/containers/odd?v=1"),
        run("odd", ["ls"]),
        create({"VolumesFrom": ["odd"]}),
        create({"PidMode": "container:odd"}),
    ],
)
def test_a_container_that_cannot_be_judged_keeps_nobody_else_from_working(deed: Request) -> None:
    known = host()
    known.all_containers.append(replace(container("6" * 64, "odd"), fault="a mount of type 'cluster'"))
    assert verdicts(deed, known) == (False, False)
    assert verdicts(request("DELETE", "/containers/odd"), known) == (True, True)
    assert verdicts(ALLOWED["start of the owner"], known) == (True, True)


def test_a_tag_moved_after_creation_is_found_at_the_start() -> None:
    known = host()
    known.all_containers[0] = replace(OWNER, image=OTHER_IMAGE)
    assert verdicts(ALLOWED["start of the owner"], known) == (False, False)


def test_a_second_colour_and_a_rollback_are_owners_by_image_id() -> None:
    known = host()
    newer = Image("sha256:" + "c" * 64, command=("x",))
    known.images["ledgerflow/postgres:2"] = known.images[newer.id] = newer
    grant = replace(DECLARED.grants[0], images=(newer.id, IMAGE))
    chosen = replace(policy(), declarations=Declarations({VOLUME: replace(DECLARED, grants=(grant,))}))
    for image in ("ledgerflow/postgres:1", "ledgerflow/postgres:2"):
        assert decide(owner("ledger-dev-postgres", image), chosen, known).allow


def test_the_vault_writes_its_own_volume_and_reads_the_databases() -> None:
    """One container with two grants, one of them read-only, and a socket's volume beside."""
    known = host()
    known.volumes_by_name["backups"] = Volume("backups", labels=LABELS)
    common = {"container": "vault", "images": (IMAGE,), "mounts": (OtherMount("socket", "/run/postgresql"),)}
    reads, writes = Grant(**common, target="/db", read_only=True), Grant(**common, target="/backups")
    volumes = {
        VOLUME: replace(DECLARED, grants=(reads,)),
        "backups": DeclaredVolume("backups", "dev", grants=(writes,)),
    }
    chosen = replace(policy("strict"), declarations=Declarations(volumes))
    binds = [f"{VOLUME}:/db:ro", "backups:/backups", "socket:/run/postgresql"]

    def made(*changed: str) -> Request:
        body = {"Image": "ledgerflow/postgres:1", "HostConfig": {"Binds": list(changed)}}
        return request("POST", "/containers/create?name=vault", body)

    assert decide(made(*binds), chosen, known).allow
    assert not decide(made(f"{VOLUME}:/db", *binds[1:]), chosen, known).allow
    assert not decide(made(*binds[:2], "other:/run/postgresql"), chosen, known).allow
    assert not decide(made(f"{LABELLED}:/x", *binds), chosen, known).allow


def test_anonymous_protected_volumes_are_not_removed_with_their_container() -> None:
    known = host()
    name = "f" * 64
    known.volumes_by_name[name] = Volume(name, labels=LABELS)
    known.all_containers.append(container("6" * 64, "anonymous", mount(name, is_named=False)))
    assert verdicts(request("DELETE", "/containers/anonymous?v=1&force=1"), known) == (False, False)
    assert verdicts(request("DELETE", "/containers/anonymous?force=1"), known) == (True, True)


def test_a_container_with_rm_does_not_borrow_an_anonymous_protected_volume() -> None:
    known = host()
    name = "f" * 64
    known.volumes_by_name[name] = Volume(name, labels=LABELS)
    borrowed = mount(name, read_only=True, is_named=False)
    known.all_containers.append(container("6" * 64, "anonymous", borrowed))
    known.all_containers.append(container("8" * 64, "borrows", borrowed, host={"autoremove": True}))
    assert verdicts(create({"VolumesFrom": ["anonymous:ro"], "AutoRemove": True}), known) == (False, False)
    assert verdicts(create({"VolumesFrom": ["anonymous:ro"]}), known) == (True, True)
    assert verdicts(request("POST", "/containers/borrows/start"), known) == (False, False)
    assert verdicts(request("POST", "/containers/anonymous/start"), known) == (True, True)


def test_an_owner_that_is_stopped_keeps_its_name_but_a_new_one_gets_its_own() -> None:
    known = host()
    stopped = replace(OWNER, running=False)
    known.all_containers[0] = stopped
    wanted = request("POST", "/containers/ledger-dev-postgres/rename?name=other")
    assert verdicts(wanted, known) == (False, False)
    known.all_containers[0] = replace(stopped, name="0123456789ab_ledger-dev-postgres")
    wanted = request("POST", "/containers/1111/rename?name=ledger-dev-postgres")
    assert verdicts(wanted, known) == (True, True)


def test_a_strict_volume_makes_the_whole_engine_strict() -> None:
    chosen = replace(policy(), declarations=Declarations({VOLUME: replace(DECLARED, profile="strict")}))
    assert not decide(STANDARD_ONLY["privileged"], chosen, host()).allow
