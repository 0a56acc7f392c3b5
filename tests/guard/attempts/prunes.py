"""Prunes that take a protected volume, or only seem to spare it."""

from __future__ import annotations

from urllib.parse import quote

from tests.guard.attempts.base import ATTEMPTS, OLD_PRUNE, SPARE, Attempt, attempt, free, freed, sdk, twin
from tools.kit.guard_world import OTHER, World

for _name, _arguments in {
    "volume prune -af": ("volume", "prune", "-af"),
    "system prune --volumes -af": ("system", "prune", "--volumes", "-af"),
    "filter by a value it has not": ("volume", "prune", "-af", "--filter", "label!=com.ledgerflow.protect=false"),
    "two exclusions exclude only what has both": ("volume", "prune", "-af", "--filter", SPARE, "--filter", "label!=x"),
    "filter by the label itself": ("volume", "prune", "-af", "--filter", "label=com.ledgerflow.protect"),
}.items():
    if _name.startswith("system"):  # it would take the image the other attempts need
        _run = freed(lambda w, a=_arguments: (w.cli("run", "-d", "--name", "keeps", "tiny"), w.cli(*a)))
    else:
        _run = freed(
            lambda w, a=_arguments: w.cli(*(a if w.engine.version != "20.10" else ("volume", "prune", "-f", *a[3:])))
        )
    # Since engine 23 it asks for nameless volumes alone, which is the twin below.
    _only = "20.10" if _name.startswith("system") else ""
    ATTEMPTS.append(Attempt("prune", _name, _run, only=_only))


@twin("prune", "system prune --volumes -af takes nameless volumes alone", only="26.1")
def _system(world: World) -> None:
    free(world)
    world.ok("run", "-d", "--name", "keeps", "tiny")  # else the image that the other attempts need goes
    world.ok("system", "prune", "--volumes", "-af")


def _prune(world: World, uri: str, body: bytes | None = b"", *headers: str) -> None:
    free(world)
    world.http("POST", uri, body, *headers)


_SPARE_FILTER = quote('{"label!":{"com.ledgerflow.protect":true}}')
_ALL = quote('{"all":{"true":true}}')
_FORM = b"filters=" + quote("{}").encode()
_FORM_TYPE = "Content-Type: application/x-www-form-urlencoded"
for _name, _call in {
    "POST by an old client": (OLD_PRUNE, b""),
    "doubled filters, the harmless one last": (f"{OLD_PRUNE}?filters=%7B%7D&filters={_SPARE_FILTER}", b""),
    "filters in a form body override the query": (f"{OLD_PRUNE}?filters={_SPARE_FILTER}", _FORM, _FORM_TYPE),
    "form body behind a second content type": (
        f"{OLD_PRUNE}?filters={_SPARE_FILTER}",
        _FORM,
        _FORM_TYPE,
        "Content-Type: application/json",
    ),
    "form body of a type with a broken parameter": (f"{OLD_PRUNE}?filters={_SPARE_FILTER}", _FORM, _FORM_TYPE + "; ="),
    "form body, chunked": (
        f"{OLD_PRUNE}?filters={_SPARE_FILTER}",
        b"%x\r\n%s\r\n0\r\n\r\n" % (len(_FORM), _FORM),
        _FORM_TYPE,
        "Transfer-Encoding: chunked",
    ),
}.items():
    ATTEMPTS.append(Attempt("prune", _name, lambda w, c=_call: _prune(w, *c)))


@attempt("prune", "SDK: volumes.prune(all)")
def _sdk_prune(world: World) -> None:
    free(world)
    sdk(lambda c: c.volumes.prune(filters={} if world.engine.version == "20.10" else {"all": ["true"]}))(world)


@twin("prune", "volume prune with the label excluded removes the others, keeps ours")
def _spare(world: World) -> None:
    free(world)
    every = () if world.engine.version == "20.10" else ("-a",)
    world.ok("volume", "prune", "-f", *every, "--filter", SPARE)
    assert OTHER not in world.volumes()


@twin("prune", "volume prune -f by today's clients takes nameless volumes alone", only="26.1")
def _nameless(world: World) -> None:
    free(world)
    world.ok("volume", "prune", "-f")
    assert OTHER in world.volumes()


@attempt("prune", "the same with all of them chosen by a word", only="26.1")
def _all_by_a_word(world: World) -> None:
    free(world)
    world.http("POST", "/v1.45/volumes/prune?filters=" + quote('{"all":["t"]}'), b"")
