"""Draws the pictures of docs/architecture.md as SVG text.

A module of its own because it only draws: it is given a topology and returns text, the same for the same topology.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from ledgerflow.stack.topology import Service, Topology

FONT = "font-family='DejaVu Sans, Verdana, sans-serif'"
INK, FAINT, PAPER = "#1f2933", "#7b8794", "#ffffff"
COLOURS = {"data": "#2563eb", "app": "#7c3aed", "search": "#0f766e", "edge": "#c2410c", "egress": "#b91c1c"}
KEPT, SCRATCH = "#15803d", "#7b8794"


def text(x: float, y: float, label: str, size: int = 13, colour: str = INK, anchor: str = "middle") -> str:
    """A line of text."""
    return f"<text x='{x:g}' y='{y:g}' font-size='{size}' fill='{colour}' text-anchor='{anchor}'>{escape(label)}</text>"


def box(x: float, y: float, width: float, height: float, colour: str, fill: str = PAPER, dash: str = "") -> str:
    """A rounded box."""
    dashes = f" stroke-dasharray='{dash}'" if dash else ""
    return (
        f"<rect x='{x:g}' y='{y:g}' width='{width:g}' height='{height:g}' rx='7' fill='{fill}' stroke='{colour}' "
        f"stroke-width='1.5'{dashes}/>"
    )


def line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1.5) -> str:
    """A straight line."""
    return f"<line x1='{x1:g}' y1='{y1:g}' x2='{x2:g}' y2='{y2:g}' stroke='{colour}' stroke-width='{width:g}'/>"


def picture(width: float, height: float, title: str, parts: list[str]) -> str:
    """The whole drawing, on white so that it reads in dark pages too."""
    head = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:g} {height:g}' width='{width:g}' "
        f"height='{height:g}' role='img' {FONT}>"
    )
    paper = f"<rect width='{width:g}' height='{height:g}' fill='{PAPER}'/>"
    return "\n".join([head, f"<title>{escape(title)}</title>", paper, *parts, "</svg>", ""])


# --- services and networks: one column a service, one lane a network ------------------------------------------------

LEFT, COLUMN, TOP, LANE = 150, 104, 112, 46


def networks_picture(topology: Topology) -> str:
    """Which service is on which network, and what is published on the host."""
    width = LEFT + COLUMN * len(topology.services) + 20
    first_lane = TOP + 84
    height = first_lane + LANE * len(topology.networks) + 8
    lanes = {name: first_lane + LANE * index for index, (name, _internal) in enumerate(topology.networks)}
    title = f"{topology.stack}-{topology.environment}: services and networks"
    parts = [text(20, 30, title, 17, INK, "start")]
    parts += [lane(name, internal, lanes[name], width) for name, internal in topology.networks]
    for index, service in enumerate(topology.services):
        parts += column(service, LEFT + COLUMN * (index + 0.5), lanes)
    return picture(width, height, title, parts)


def lane(name: str, internal: bool, y: float, width: float) -> str:
    """A network."""
    colour = COLOURS.get(name, FAINT)
    kind = "internal" if internal else "reaches outside"
    return "\n".join([
        line(LEFT, y, width - 20, y, colour, 5),
        text(LEFT - 12, y + 1, name, 14, colour, "end"),
        text(LEFT - 12, y + 15, kind, 10, FAINT, "end"),
    ])  # fmt: skip


def column(service: Service, x: float, lanes: Mapping[str, float]) -> list[str]:
    """A service and its connections."""
    last = max(lanes[name] for name in service.networks)
    first, _dash, rest = service.name.rpartition("-")
    parts = [line(x, TOP + 46, x, last, INK), box(x - 47, TOP, 94, 46, INK)]
    if len(service.name) <= 11:
        parts.append(text(x, TOP + 28, service.name))
    else:
        parts += [text(x, TOP + 20, first + "-"), text(x, TOP + 36, rest)]
    for network in service.networks:
        parts.append(
            f"<circle cx='{x:g}' cy='{lanes[network]:g}' r='7' fill='{COLOURS.get(network, FAINT)}' stroke='{PAPER}'/>"
        )
    return parts + published_ports(service, x)


def published_ports(service: Service, x: float) -> list[str]:
    """The ports on the host, with an arrow to the service."""
    if not service.ports:
        return []
    address = service.ports[0].rpartition(":")[0]
    ports = ", ".join(port.rpartition(":")[2] for port in service.ports)
    reach = "this host only" if address.startswith("127.") else "anywhere"
    arrow = f"<path d='M {x - 5:g} {TOP - 10} L {x + 5:g} {TOP - 10} L {x:g} {TOP - 2} Z' fill='{COLOURS['edge']}'/>"
    return [
        text(x, TOP - 42, f"from {reach}", 11, COLOURS["edge"]),
        text(x, TOP - 28, ports, 11, COLOURS["edge"]),
        line(x, TOP - 22, x, TOP - 8, COLOURS["edge"]),
        arrow,
    ]


# --- volumes: one row each ------------------------------------------------------------------------------------------

ROW = 62


def volumes_picture(topology: Topology) -> str:
    """Which service mounts which volume where, and where on the host its bytes are."""
    rows = [(volume, True) for volume in topology.volumes] + [(volume, False) for volume in topology.scratch_volumes]
    title = f"{topology.stack}-{topology.environment}: volumes"
    parts = [text(20, 30, title, 17, INK, "start")]
    heads = ((130, "services"), (385, "seen by them as"), (600, "volume of the engine"), (855, "directory of the host"))
    parts += [text(x, 62, head, 12, FAINT) for x, head in heads]
    for index, (volume, is_protected) in enumerate(rows):
        parts += volume_row(topology, volume, is_protected, 78 + ROW * index)
    return picture(1000, 78 + ROW * len(rows) + 12, title, parts)


def volume_row(topology: Topology, volume: str, is_protected: bool, y: float) -> list[str]:
    """One volume, from its services to its directory."""
    users = [(service.name, target) for service in topology.services
             for name, target in (*service.protected, *service.scratch) if name == volume]  # fmt: skip
    colour, dash = (KEPT, "") if is_protected else (SCRATCH, "5 4")
    full, middle = f"{topology.stack}_{topology.environment}_{volume}", y + 24
    directory = f"{topology.data_root}/{volume}/" if is_protected else "inside the engine"
    label = "protect=true" if is_protected else "scratch=true"
    return [
        line(230, middle, 960, middle, colour),
        box(30, y, 200, 44, INK),
        *[text(130, y + 28 + shift, names, 12) for shift, names in split_lines(users)],
        box(275, y + 8, 220, 32, FAINT),
        text(385, y + 28, users[0][1] if users else "not mounted", 12),
        box(515, y + 2, 170, 44, colour, "#f0fdf4" if is_protected else PAPER, dash),
        text(600, y + 21, full, 12),
        text(600, y + 37, label, 10, colour),
        box(725, y + 8, 260, 32, colour, PAPER, dash),
        text(855, y + 28, directory, 12),
    ]  # fmt: skip


def split_lines(users: list[tuple[str, str]]) -> list[tuple[int, str]]:
    """The services' names on two lines at most, each with its shift from the middle."""
    names = [name for name, _target in users]
    if len(names) <= 2:
        return [(0, ", ".join(names))]
    return [(-9, ", ".join(names[:2])), (8, ", ".join(names[2:]))]
