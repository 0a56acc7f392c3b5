"""Removals of a protected volume, by name, by request, and with its container."""

from __future__ import annotations

from tests.guard.attempts.base import ATTEMPTS, Attempt, attempt, free, freed, sdk, twin
from tools.kit.guard_world import ANONYMOUS, OTHER, OWNER, VICTIM, World, pause

for _name, _uri in {
    "DELETE without a version": f"/volumes/{VICTIM}",
    "DELETE versioned": f"/v1.41/volumes/{VICTIM}",
    "DELETE with an odd version": f"/v1.41./volumes/{VICTIM}",
    "DELETE with force": f"/v1.41/volumes/{VICTIM}?force=1",
    "DELETE, name percent-encoded": "/volumes/" + "".join(f"%{ord(c):02x}" for c in VICTIM),
    "DELETE, route percent-encoded": f"/v%6Flumes/{VICTIM}",
    "DELETE, slash percent-encoded": f"/volumes%2F{VICTIM}",
    "DELETE with an absolute URI": f"http://localhost/v1.41/volumes/{VICTIM}",
    "DELETE with another scheme": f"x:///volumes/{VICTIM}",
    "DELETE with a query like another route": f"/volumes/{VICTIM}?x=/v1.41/containers/json",
}.items():
    ATTEMPTS.append(Attempt("delete", _name, freed(lambda w, uri=_uri: w.http("DELETE", uri))))
ATTEMPTS.append(Attempt("delete", "volume rm", freed(lambda w: w.cli("volume", "rm", VICTIM))))
ATTEMPTS.append(Attempt("delete", "volume rm -f", freed(lambda w: w.cli("volume", "rm", "-f", VICTIM))))
ATTEMPTS.append(
    Attempt("delete", "SDK: volume.remove(force=True)", freed(sdk(lambda c: c.volumes.get(VICTIM).remove(force=True))))
)
ATTEMPTS.append(
    Attempt("delete", "rm -f -v of its container, the volume anonymous", lambda w: w.cli("rm", "-f", "-v", ANONYMOUS))
)


ATTEMPTS.append(
    Attempt(
        "delete",
        "the same by a request, its v a word that only Go takes for true",
        lambda w: w.http("DELETE", f"/containers/{ANONYMOUS}?v=%1f&force=1"),
    )
)


@attempt("delete", "run --rm takes the anonymous volume it borrows along at its end")
def _borrowed(world: World) -> None:
    world.cli("run", "-d", "--rm", "--name", "borrows", "--volumes-from", f"{ANONYMOUS}:ro", "tiny")
    world.cli("rm", "-f", ANONYMOUS)
    world.cli("kill", "borrows")
    pause(1)


@attempt("delete", "pipelined after a harmless GET")
def _pipelined(world: World) -> None:
    free(world)
    world.raw(
        "GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n"
        f"DELETE /volumes/{VICTIM} HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n"
    )


@twin("delete", "volume rm of an unprotected volume")
def _remove_other(world: World) -> None:
    world.ok("volume", "rm", OTHER)


@twin("delete", "rm -f of the owner; its volumes stay")
def _remove_owner(world: World) -> None:
    world.ok("rm", "-f", "-v", OWNER)
