"""The rules for requests about volumes: create, remove, prune.

A module of its own beside the table of routes: the table names the rule of a route, this decides. A rule raises Refusal
or returns nothing.
"""

from __future__ import annotations

from ledgerguard.api import gojson, prune_filters, volume_options
from ledgerguard.api.request import api_version
from ledgerguard.model import Mount, Volume
from ledgerguard.refusal import Refusal, volume_refusal
from ledgerguard.rules import (
    host_mounts,
    ownership,
)
from ledgerguard.rules.call import Call
from ledgerguard.rules.policy import Context


def remove_volume(call: Call) -> None:
    if call.name in call.context.protected:
        raise volume_refusal(
            (call.name,),
            "remove",
            f"removing it would lose its data{_environment_note(call)}",
            "docker compose down (without -v)",
        )


def _environment_note(call: Call) -> str:
    volume = call.context.volumes.get(call.name)
    return f" ({volume.labels.get('com.ledgerflow.environment', 'labelled')})" if volume and volume.labelled else ""


def prune_volumes(call: Call) -> None:
    context = call.context
    protected = [context.volumes[name] for name in sorted(context.protected) if name in context.volumes]
    lost_volumes = prune_filters.find_pruned_volumes(
        call.query.get("filters", ""), protected, api_version(call.request.uri)
    )
    if lost_volumes:
        problem = f"protected volume {', '.join(lost_volumes[:3])}: this prune may take it"
        raise Refusal(problem, prune_filters.SAFE_COMMAND, volumes=lost_volumes, operation="prune")


def create_volume(call: Call) -> None:
    """A declared one exactly as declared; an existing protected one unchanged; any other with harmless options."""
    body = gojson.struct(gojson.parse(call.body), "the body")
    if unknown := sorted(set(body) - {"name", "driver", "driveropts", "labels", "clustervolumespec"}):
        raise Refusal(f"unknown key {unknown[0]!r} in the volume", volume_options.SAFE_COMMAND)
    if body.get("clustervolumespec") not in gojson.NOTHING:
        raise Refusal("a cluster volume", volume_options.SAFE_COMMAND)
    requested = Volume(
        gojson.text(body.get("name"), "Name"),
        gojson.text(body.get("driver"), "Driver") or "local",
        gojson.text_map(body.get("labels"), "Labels"),
        gojson.text_map(body.get("driveropts"), "DriverOpts"),
    )
    _check_volume(requested, call.context)


def _check_volume(requested: Volume, context: Context) -> None:
    declared = context.policy.declarations.volumes.get(requested.name)
    if declared and requested.name not in context.policy.unlocked:
        settings = (requested.driver, dict(requested.options), dict(requested.labels))
        if settings != (declared.driver, dict(declared.options), dict(declared.labels)):
            raise volume_refusal(
                (requested.name,),
                "mount",
                "may be created only exactly as declared (driver, options, labels)",
                "make deploy",
            )
        return
    existing = context.volumes.get(requested.name)
    if existing and requested.name in context.protected:
        if (requested.driver, dict(requested.options), dict(requested.labels)) not in (
            (existing.driver, dict(existing.options), dict(existing.labels)), (existing.driver, {}, {})
        ):  # fmt: skip
            raise volume_refusal(
                (requested.name,), "mount", "is there with other labels or options", "leave it as it is"
            )
        return
    device = volume_options.find_bound_device(
        requested.driver, requested.options, context.profile, f"volume {requested.name or '(anonymous)'}"
    )
    is_plain = not requested.options or requested.options.get("type") == "tmpfs"
    if not is_plain and requested.name in context.owners_volumes():
        raise ownership.owner_input_refusal(requested.name, "docker volume create without options")
    if device:
        host_mounts.check_host_path(device, Mount("volume", requested.name, ""), context)
