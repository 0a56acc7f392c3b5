"""The rules for requests about volumes: create, remove, prune.

A module of its own beside the table of routes: the table names the rule of a route, this decides. A rule raises Refused
or returns nothing.
"""

from __future__ import annotations

from ledgerguard.api import gojson, prune_filters, volume_options
from ledgerguard.api.request import api_version
from ledgerguard.model import Mount, Volume
from ledgerguard.refusal import Refused, lost
from ledgerguard.rules import (
    host_mounts,
    ownership,
)
from ledgerguard.rules.call import Call
from ledgerguard.rules.policy import Scene


def remove_volume(call: Call) -> None:
    if call.name in call.scene.protected:
        raise lost(
            (call.name,),
            "remove",
            f"removing it would lose its data{_device(call)}",
            "docker compose down (without -v)",
        )


def _device(call: Call) -> str:
    known = call.scene.volumes.get(call.name)
    return f" ({known.labels.get('com.ledgerflow.environment', 'labelled')})" if known and known.labelled else ""


def prune_volumes(call: Call) -> None:
    scene = call.scene
    there = [scene.volumes[name] for name in sorted(scene.protected) if name in scene.volumes]
    taken = prune_filters.taken(call.query.get("filters", ""), there, api_version(call.request.uri))
    if taken:
        what = f"protected volume {', '.join(taken[:3])}: this prune may take it"
        raise Refused(what, prune_filters.SAFE, volumes=taken, operation="prune")


def create_volume(call: Call) -> None:
    """A declared one exactly as declared; an existing protected one unchanged; any other with harmless options."""
    body = gojson.struct(gojson.parse(call.body), "the body")
    if unknown := sorted(set(body) - {"name", "driver", "driveropts", "labels", "clustervolumespec"}):
        raise Refused(f"unknown key {unknown[0]!r} in the volume", volume_options.SAFE)
    if body.get("clustervolumespec") not in gojson.NOTHING:
        raise Refused("a cluster volume", volume_options.SAFE)
    wanted = Volume(
        gojson.text(body.get("name"), "Name"),
        gojson.text(body.get("driver"), "Driver") or "local",
        gojson.text_map(body.get("labels"), "Labels"),
        gojson.text_map(body.get("driveropts"), "DriverOpts"),
    )
    _check_volume(wanted, call.scene)


def _check_volume(wanted: Volume, scene: Scene) -> None:
    declared = scene.policy.declarations.volumes.get(wanted.name)
    if declared and wanted.name not in scene.policy.unlocked:
        found = (wanted.driver, dict(wanted.options), dict(wanted.labels))
        if found != (declared.driver, dict(declared.options), dict(declared.labels)):
            raise lost(
                (wanted.name,),
                "mount",
                "may be created only exactly as declared (driver, options, labels)",
                "make deploy",
            )
        return
    known = scene.volumes.get(wanted.name)
    if known and wanted.name in scene.protected:
        if (wanted.driver, dict(wanted.options), dict(wanted.labels)) not in (
            (known.driver, dict(known.options), dict(known.labels)), (known.driver, {}, {})
        ):  # fmt: skip
            raise lost((wanted.name,), "mount", "is there with other labels or options", "leave it as it is")
        return
    device = volume_options.bound_device(
        wanted.driver, wanted.options, scene.profile, f"volume {wanted.name or '(anonymous)'}"
    )
    plain = not wanted.options or wanted.options.get("type") == "tmpfs"
    if not plain and wanted.name in scene.owners_volumes():
        raise ownership.working_place(wanted.name, "docker volume create without options")
    if device:
        host_mounts.check(device, Mount("volume", wanted.name, ""), scene)
