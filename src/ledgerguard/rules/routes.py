"""The table of routes: every call of the engine's API that can change something, and the rule it has to pass.

A module of its own because it is the guard's whole view of the API: what is not in it and not a plain read is refused.
Both engines' routes are listed (20.10: API 1.41, 26.1: API 1.45); a new engine's new routes are refused until listed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from ledgerguard.refusal import Verdict
from ledgerguard.rules import container_rules, exec_rules, general_rules, network_rules, volume_rules
from ledgerguard.rules.call import Call


class Body(Enum):
    """What the engine does with the route's body."""

    NONE = "not read, but a form would override the query"
    JSON = "read as JSON: it has to be visible"
    STREAM = "a tar archive or another protocol"


@dataclass(frozen=True)
class Route:
    """One method and path. `does` is what the engine would do; `consumes`: a matching unlock is used up here."""

    method: str
    path: str
    rule: Callable[[Call], Verdict | None]
    does: str
    body: Body = Body.NONE
    consumes: bool = True
    repeated: frozenset[str] = frozenset()  # parameters that the engine reads as a list

    @property
    def pattern(self) -> re.Pattern[str]:
        """`{name}` is one name, `{network}` one of any characters, `{any}` the rest of the path."""
        names = re.escape(self.path).replace(r"\{name\}", "(?P<name>[A-Za-z0-9][A-Za-z0-9_.-]*)")
        names = names.replace(r"\{network\}", "(?P<network>[^/]+)")
        return re.compile(names.replace(r"\{any\}", r"(?P<any>[A-Za-z0-9_.:@/-]+)"))


_HARMLESS = (
    ("POST", "/auth", "signs in to a registry", Body.STREAM),
    ("POST", "/build/cancel", "stops a build", Body.NONE),
    ("POST", "/build/prune", "removes build cache", Body.NONE),
    ("POST", "/session", "serves files to a build", Body.STREAM),
    ("POST", "/grpc", "BuildKit's own protocol", Body.STREAM),
    ("POST", "/commit", "makes an image of a container", Body.STREAM),
    ("POST", "/images/create", "pulls or imports an image", Body.STREAM),
    ("POST", "/images/load", "loads images", Body.STREAM),
    ("POST", "/images/prune", "removes images", Body.NONE),
    ("POST", "/images/{any}/push", "sends an image", Body.STREAM),
    ("POST", "/images/{any}/tag", "names an image; owners are known by id", Body.NONE),
    ("DELETE", "/images/{any}", "removes an image", Body.NONE),
    ("POST", "/networks/prune", "removes networks", Body.NONE),
    ("POST", "/networks/{network}/disconnect", "disconnects a container", Body.STREAM),
    ("DELETE", "/networks/{network}", "removes a network", Body.NONE),
    ("POST", "/containers/prune", "removes stopped containers; their volumes stay", Body.NONE),
    ("POST", "/containers/{name}/stop", "stops", Body.NONE),
    ("POST", "/containers/{name}/kill", "kills", Body.NONE),
    ("POST", "/containers/{name}/pause", "pauses", Body.NONE),
    ("POST", "/containers/{name}/unpause", "goes on", Body.NONE),
    ("POST", "/containers/{name}/wait", "waits", Body.NONE),
    ("POST", "/containers/{name}/resize", "changes a terminal's size", Body.NONE),
    ("POST", "/containers/{name}/copy", "copies out (20.10)", Body.STREAM),
    ("POST", "/exec/{name}/resize", "changes a terminal's size", Body.NONE),
    ("POST", "/swarm/leave", "leaves a swarm", Body.NONE),
)
_REFUSED = (
    ("POST", "/containers/{name}/checkpoints", "freezes a process, into a directory of the host"),
    ("DELETE", "/containers/{name}/checkpoints/{any}", "removes a directory of the host"),
    ("POST", "/plugins/{any}", "changes an engine plugin, the guard among them"),
    ("DELETE", "/plugins/{any}", "removes an engine plugin"),
    ("POST", "/swarm/{any}", "starts a swarm: its services mount volumes without any request"),
    ("POST", "/services/{any}", "starts containers without any request"),
    ("DELETE", "/services/{any}", "the same"),
    ("POST", "/nodes/{any}", "the same"),
    ("DELETE", "/nodes/{any}", "the same"),
    ("POST", "/secrets/{any}", "the same"),
    ("DELETE", "/secrets/{any}", "the same"),
    ("POST", "/configs/{any}", "the same"),
    ("DELETE", "/configs/{any}", "the same"),
    ("PUT", "/volumes/{name}", "changes a cluster volume"),
)
_OF_A_BUILD = frozenset({"t", "extrahosts", "securityopt"})
_JUDGED = (
    Route("POST", "/volumes/create", volume_rules.create_volume, "makes a volume", Body.JSON),
    Route("POST", "/volumes/prune", volume_rules.prune_volumes, "removes unused volumes"),
    Route("DELETE", "/volumes/{name}", volume_rules.remove_volume, "removes a volume with its data"),
    Route(
        "POST", "/containers/create", container_rules.create_container, "makes a container", Body.JSON, consumes=False
    ),
    Route(
        "POST", "/containers/{name}/start", container_rules.start_container, "starts a container, mounting its volumes"
    ),
    Route("POST", "/containers/{name}/restart", container_rules.start_container, "the same"),
    Route(
        "POST",
        "/containers/{name}/update",
        container_rules.update_container,
        "changes limits and restart policy",
        Body.JSON,
    ),
    Route("POST", "/containers/{name}/rename", container_rules.rename_container, "renames"),
    Route(
        "POST",
        "/containers/{name}/attach",
        container_rules.attach_container,
        "joins a container's terminal",
        Body.STREAM,
    ),
    Route(
        "GET", "/containers/{name}/attach/ws", container_rules.attach_container, "the same, by web socket", Body.STREAM
    ),
    Route(
        "POST",
        "/containers/{name}/exec",
        exec_rules.create_exec,
        "prepares a command inside",
        Body.JSON,
        consumes=False,
    ),
    Route("POST", "/exec/{name}/start", exec_rules.start_exec, "runs it", Body.STREAM),
    Route("PUT", "/containers/{name}/archive", container_rules.copy_into_container, "copies files in", Body.STREAM),
    Route("POST", "/networks/create", network_rules.create_network, "makes a network", Body.JSON),
    Route("POST", "/networks/{network}/connect", network_rules.connect_network, "connects a container", Body.JSON),
    Route("POST", "/build", general_rules.build_image, "builds an image", Body.STREAM, repeated=_OF_A_BUILD),
    Route(
        "DELETE",
        "/containers/{name}",
        container_rules.remove_container,
        "removes a container, with v its anonymous volumes",
    ),
)
_REPEATED: Mapping[str, frozenset[str]] = {
    "/commit": frozenset({"changes"}),
    "/images/create": frozenset({"changes"}),
    "/images/load": frozenset({"platform"}),
    "/images/{any}/push": frozenset({"platform"}),
}
TABLE: tuple[Route, ...] = (
    *_JUDGED,
    *(
        Route(method, path, general_rules.allow, does, body, repeated=_REPEATED.get(path, frozenset()))
        for method, path, does, body in _HARMLESS
    ),
    *(Route(method, path, general_rules.refuse, does, Body.STREAM) for method, path, does in _REFUSED),
)
_COMPILED = tuple((route, route.pattern) for route in TABLE)


def find(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The first route that this is, with the names in its path."""
    for route, pattern in _COMPILED:
        if route.method == method and (match := pattern.fullmatch(path)):
            return route, match.groupdict()
    return None
