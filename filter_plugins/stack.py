"""Filters that compute a stack from settings and facts: services, networks, volumes, images, deployment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

try:
    from ledgerflow import findings
    from ledgerflow.stack import (
        app,
        declarations,
        deployment,
        images,
        networks,
        postgres,
        searxng,
        service,
        settings,
        volumes,
    )
except ModuleNotFoundError as error:
    # SystemExit, because Ansible reports other errors here as a warning and goes on without the filters.
    raise SystemExit(f"{__file__}: {error}\nHINT: scripts/bootstrap, then .venv/bin/ansible-playbook") from error


class FilterModule:
    """The filters, for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name in playbooks → function."""
        return {
            "compose_project": service.compose_project,
            "declared_volumes": volumes.declared_volumes,
            "deployment_facts": deployment.deployment_facts,
            "findings_text": findings.findings_text,
            "foreign_sentinels": deployment.foreign_sentinels,
            "guard_findings": deployment.guard_findings,
            "guard_invitation": deployment.guard_invitation,
            "guard_text": deployment.guard_text,
            "images_bake": images.images_bake,
            "images_bases": images.images_bases,
            "images_context": images.images_context,
            "images_digest_findings": images.images_digest_findings,
            "images_resolved_digests": images.images_resolved_digests,
            "images_findings": images.images_findings,
            "images_missing": images.images_missing,
            "images_places": images.images_places,
            "images_plan": images.images_plan,
            "images_pulls": images.images_pulls,
            "images_registry_findings": images.images_registry_findings,
            "images_registry_url": images.images_registry_url,
            "images_retired": images.images_retired,
            "images_waves": images.images_waves,
            "inspected_volumes": volumes.inspected_volumes,
            "live_colour": app.live_colour,
            "missing_volumes": volumes.missing_volumes,
            "network_declarations": declarations.network_declarations,
            "networks_findings": networks.networks_findings,
            "networks_listed": networks.networks_listed,
            "networks_missing": networks.networks_missing,
            "postgres_query_pattern": postgres.postgres_query_pattern,
            "postgres_sizing": postgres.postgres_sizing,
            "process_description": app.process_description,
            "proven_backup_due": deployment.proven_backup_due,
            "pruned_lines": deployment.pruned_lines,
            "searxng_findings": searxng.searxng_findings,
            "searxng_settings": searxng.searxng_settings,
            "service_changed": service.service_changed,
            "service_declarations": declarations.service_declarations,
            "service_fingerprints": service.service_fingerprints,
            "service_inputs": service.service_inputs,
            "service_is_current": service.service_is_current,
            "service_start_script": service.service_start_script,
            "services_of_roles": deployment.services_of_roles,
            "settings_findings": settings.settings_findings,
            "settings_values": settings.settings_values,
            "stack_containers": deployment.stack_containers,
            "target_colour": app.target_colour,
            "tree_content_digest": service.tree_content_digest,
            "unwell_services": deployment.unwell_services,
            "vault_checks": deployment.vault_checks,
            "vault_findings": deployment.vault_findings,
            "volume_declaration_faults": volumes.declaration_faults,
            "volume_declarations": declarations.volume_declarations,
            "volume_findings": volumes.volume_findings,
            "volumes_image": volumes.volumes_image,
            "volumes_probe": volumes.volumes_probe,
            "volumes_recorded": volumes.volumes_recorded,
            "with_commands": declarations.with_commands,
        }
