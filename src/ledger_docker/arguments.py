"""Reads a docker command line the way docker itself does.

A module of its own because looking for the text `down -v` stops almost nothing: `-t 0 -v`, `-vf`, `--volumes=true` and
options before the command mean the same, and `exec web echo "down -v"` means something else. Pure: nothing is run or
looked up here. `ledger_docker` judges what this reads, and so does the check of scripts in the repository.

Unknown options may belong to a newer docker. They are taken for switches, so that what follows is still looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Options = tuple[tuple[str, str | None], ...]  # option by its long name, and its value; None for a bare switch

NAMED, PROJECT, UNUSED, ANONYMOUS, RECREATED = "named", "project", "unused", "anonymous", "recreated"


@dataclass(frozen=True)
class Kind:
    """One command that can do harm: its options, and what it removes or interrupts."""

    options: str  # "f,force t,timeout=": short and long name; = takes a value
    removes: str = ""  # which volumes, if any
    wants: str = ""  # the option without which it removes none
    interrupts: bool = False  # stops or replaces containers


_STOP = "s,signal= t,timeout= time="
_PRUNE = "f,force a,all filter="
_UP = (
    "abort-on-container-exit abort-on-container-failure always-recreate-deps attach= attach-dependencies build "
    "d,detach exit-code-from= force-recreate menu no-attach= no-build no-color no-deps no-log-prefix no-recreate "
    "no-start pull= quiet-build quiet-pull remove-orphans V,renew-anon-volumes scale= t,timeout= timestamps wait "
    "wait-timeout= w,watch y,yes"
)
KINDS: Mapping[tuple[str, ...], tuple[Kind, ...]] = {
    ("volume", "rm"): (Kind("f,force", removes=NAMED),),
    ("volume", "prune"): (Kind(_PRUNE, removes=UNUSED),),
    ("system", "prune"): (Kind(_PRUNE + " volumes", removes=UNUSED, wants="volumes", interrupts=True),),
    ("container", "rm"): (Kind("f,force l,link v,volumes", removes=ANONYMOUS, wants="volumes", interrupts=True),),
    ("container", "prune"): (Kind("f,force filter=", interrupts=True),),
    ("container", "stop"): (Kind(_STOP, interrupts=True),),
    ("container", "restart"): (Kind(_STOP, interrupts=True),),
    ("container", "kill"): (Kind("s,signal=", interrupts=True),),
    ("container", "pause"): (Kind("", interrupts=True),),
    ("swarm", "leave"): (Kind("f,force", interrupts=True),),
    ("service", "rm"): (Kind("", interrupts=True),),
    ("service", "scale"): (Kind("d,detach", interrupts=True),),
    ("service", "rollback"): (Kind("d,detach q,quiet", interrupts=True),),
    ("service", "update"): (Kind("f,force", interrupts=True),),
    ("stack", "rm"): (Kind("d,detach", interrupts=True),),
    ("stack", "deploy"): (Kind("c,compose-file= d,detach prune q,quiet", interrupts=True),),
    ("compose", "down"): (
        Kind("v,volumes remove-orphans rmi= t,timeout=", removes=PROJECT, wants="volumes", interrupts=True),
    ),
    ("compose", "rm"): (
        Kind("f,force s,stop v,volumes a,all", removes=ANONYMOUS, wants="volumes", interrupts=True),
    ),
    ("compose", "up"): (
        Kind(_UP, removes=ANONYMOUS, wants="renew-anon-volumes", interrupts=True),
        Kind(_UP, removes=RECREATED, wants="yes", interrupts=True),
    ),
    ("compose", "create"): (
        Kind("build force-recreate no-build no-recreate pull= quiet-pull remove-orphans scale= y,yes",
             removes=RECREATED, wants="yes", interrupts=True),
    ),
    ("compose", "stop"): (Kind("t,timeout=", interrupts=True),),
    ("compose", "restart"): (Kind("no-deps t,timeout=", interrupts=True),),
    ("compose", "kill"): (Kind("remove-orphans s,signal=", interrupts=True),),
    ("compose", "pause"): (Kind("", interrupts=True),),
    ("compose", "scale"): (Kind("no-deps", interrupts=True),),
    ("compose", "watch"): (Kind("dry-run no-up prune quiet", interrupts=True),),
}  # fmt: skip
ALIASES: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("volume", "remove"): ("volume", "rm"),
    ("container", "remove"): ("container", "rm"),
    ("service", "remove"): ("service", "rm"),
    ("stack", "remove"): ("stack", "rm"),
    ("stack", "down"): ("stack", "rm"),
    ("stack", "up"): ("stack", "deploy"),
    **{(name,): ("container", name) for name in ("rm", "stop", "restart", "kill", "pause")},
}
GROUPS = frozenset({"volume", "system", "container", "swarm", "service", "stack"})

_DOCKER = "config= c,context= D,debug H,host= l,log-level= tls tlscacert= tlscert= tlskey= tlsverify v,version"
_COMPOSE = (
    "all-resources ansi= compatibility dry-run env-file= f,file= insecure-registry= no-ansi parallel= profile= "
    "progress= project-directory= p,project-name= verbose v,version workdir="
)
_DOCKER_NAMES = (
    "attach build builder buildx checkpoint commit compose config container context cp create debug diff events "
    "exec export help history image images import info inspect kill load login logout logs manifest network node "
    "pause plugin port ps pull push rename restart rm rmi run save scout search secret service stack start stats "
    "stop swarm system tag top trust unpause update version volume wait"
)
_COMPOSE_NAMES = (
    "alpha attach bridge build commit config convert cp create down events exec export images kill logs ls pause "
    "port ps publish pull push restart rm run scale start stats stop top unpause up version volumes wait watch"
)


@dataclass(frozen=True)
class Option:
    """An option's long name, and whether a value belongs to it."""

    name: str
    valued: bool


@dataclass(frozen=True)
class ParsedOptions:
    """Options in their order, then the words; `rest` is what stands from the first word on."""

    options: Options = ()
    words: tuple[str, ...] = ()
    rest: tuple[str, ...] = ()


@dataclass(frozen=True)
class Command:
    """A command that can do harm, as it was given. `path` is without aliases: ("volume", "rm")."""

    path: tuple[str, ...]
    options: Options
    words: tuple[str, ...]
    docker: Options = ()
    compose: Options = ()

    def on(self, name: str) -> bool:
        """Whether a switch is on; the last one counts."""
        settings = [setting for option, setting in (*self.compose, *self.options) if option == name]
        return bool(settings) and is_switch_on(settings[-1])

    def values(self, name: str) -> list[str]:
        """What an option was given, of the command's own and compose's before it."""
        return [setting or "" for option, setting in (*self.compose, *self.options) if option == name]

    @property
    def name(self) -> str:
        """As people say it: docker compose down."""
        return " ".join(("docker", *self.path))

    @property
    def removes(self) -> tuple[str, ...]:
        """Which kinds of volumes go with it, as it was given."""
        kinds = KINDS[self.path]
        return tuple(kind.removes for kind in kinds if kind.removes and (not kind.wants or self.on(kind.wants)))

    @property
    def interrupts(self) -> bool:
        """Whether it stops or replaces containers."""
        return any(kind.interrupts for kind in KINDS[self.path])

    def argv(self, options: Options | None = None, words: Sequence[str] | None = None) -> list[str]:
        """The same command line, tidied, with other options or words where they are given."""
        words = self.words if words is None else words
        dashes = ["--"] if any(word.startswith("-") for word in words) else []
        start = ["docker", *format_options(self.docker)]
        start += [self.path[0], *format_options(self.compose)]
        return [*start, *self.path[1:], *format_options(self.options if options is None else options), *dashes, *words]


def is_switch_on(setting: str | None) -> bool:
    """A switch's value as docker reads it; one that docker would refuse counts as on."""
    return setting is None or setting not in {"0", "f", "F", "false", "FALSE", "False"}


def format_options(options: Options) -> list[str]:
    """Options as they are typed."""
    return [f"--{name}" if setting is None else f"--{name}={setting}" for name, setting in options]


def parse_spec(spec: str) -> dict[str, Option]:
    """{"-f": …, "--force": …} of a spec; help is known everywhere."""
    options: dict[str, Option] = {}
    for entry in ("h,help " + spec).split():
        names, valued = entry.removesuffix("="), entry.endswith("=")
        short, _, long = names.rpartition(",")
        option = Option(long, valued)
        options["--" + long] = option
        if short:
            options["-" + short] = option
    return options


def read_options(
    arguments: Sequence[str], known_options: Mapping[str, Option], names: Iterable[str] | None = None
) -> ParsedOptions:
    """Options and words. With `names` reading ends at the first word: the command that follows has its own options.

    After an unknown option, which may have had a value, only a word of `names` ends it.
    """
    options: list[tuple[str, str | None]] = []
    words: list[str] = []
    is_doubtful, position = False, 0
    while position < len(arguments):
        argument = arguments[position]
        position += 1
        if argument == "--":
            words += arguments[position:]
            break
        if argument.startswith("-") and argument != "-":
            following = arguments[position] if position < len(arguments) else None
            parsed, used, is_unknown = read_option(argument, following, known_options)
            options += parsed
            position += used
            is_doubtful = is_doubtful or is_unknown
        elif names is None:
            words.append(argument)
        elif not is_doubtful or argument in names:
            return ParsedOptions(tuple(options), (), tuple(arguments[position - 1 :]))
    return ParsedOptions(tuple(options), tuple(words), tuple(words) if names is not None else ())


def read_option(
    argument: str, next_argument: str | None, known_options: Mapping[str, Option]
) -> tuple[list[tuple[str, str | None]], int, bool]:
    """(options found, how many further arguments belong to them, whether one was unknown)."""
    if not argument.startswith("--"):
        return read_cluster(argument[1:], next_argument, known_options)
    name, equals, setting = argument.partition("=")
    option = known_options.get(name)
    if option is None:
        return [(name[2:], setting if equals else None)], 0, True
    if equals:
        return [(option.name, setting)], 0, False
    if option.valued:
        return [(option.name, next_argument or "")], 1, False
    return [(option.name, None)], 0, False


def read_cluster(
    letters: str, next_argument: str | None, known_options: Mapping[str, Option]
) -> tuple[list[tuple[str, str | None]], int, bool]:
    """`-vf`, `-t0`, `-t 0`, `-t=0`, `-v=false`: letters up to the one that takes the rest for its value."""
    parsed: list[tuple[str, str | None]] = []
    is_unknown = False
    for position, letter in enumerate(letters, start=1):
        option, rest = known_options.get("-" + letter), letters[position:]
        name = option.name if option else letter
        is_unknown = is_unknown or option is None
        if rest.startswith("="):
            return [*parsed, (name, rest[1:])], 0, is_unknown
        if option is not None and option.valued:
            return [*parsed, (name, rest or next_argument or "")], 0 if rest else 1, is_unknown
        parsed.append((name, None))
    return parsed, 0, is_unknown


def read_command(arguments: Sequence[str]) -> Command | None:
    """The command that a docker command line (without `docker`) carries out; None for one that does no such harm."""
    docker = read_options(arguments, parse_spec(_DOCKER), frozenset(_DOCKER_NAMES.split()))
    if not docker.rest or _asks_for_help(docker.options):
        return None
    name, rest = docker.rest[0], docker.rest[1:]
    compose: Options = ()
    path: tuple[str, ...] = (name,)
    if name == "compose":
        read = read_options(rest, parse_spec(_COMPOSE), frozenset(_COMPOSE_NAMES.split()))
        compose, rest = read.options, read.rest
    elif name in GROUPS:
        rest = read_options(rest, parse_spec(""), ()).rest
    if name == "compose" or name in GROUPS:
        if not rest or _asks_for_help(compose):
            return None
        path, rest = (name, rest[0]), rest[1:]
    return _parse_command(ALIASES.get(path, path), rest, docker.options, compose)


def _parse_command(path: tuple[str, ...], rest: Sequence[str], docker: Options, compose: Options) -> Command | None:
    if path not in KINDS:
        return None
    spec = KINDS[path][0].options + (" dry-run" if path[0] == "compose" else "")
    read = read_options(rest, parse_spec(spec))
    command = Command(path, read.options, read.words, docker, compose)
    return None if _asks_for_help(read.options) or command.on("dry-run") else command


def _asks_for_help(options: Options) -> bool:
    """Whether docker would show its help and do nothing."""
    return any(name == "help" and is_switch_on(setting) for name, setting in options)
