"""What the rules decide by, in one value: declarations, profile, places. A module of its own so that rules share it
without knowing each other.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from ledgerguard.declarations.model import Declarations
from ledgerguard.model import Container, Lookups, Mount, Volume
from ledgerguard.refusal import Refusal
from ledgerguard.rules.grant_matching import DEFAULT_NETWORKS, EngineNames
from ledgerguard.rules.host_areas import HostAreas

_MAYBE_ID = re.compile(r"[0-9a-f]+")  # the engine takes the start of an id for a network's name


@dataclass(frozen=True)
class Policy:
    """`least_profile`: what the service was started with; a strict volume makes the engine's profile strict.

    `unlocked`: volumes that count as unprotected in this one decision, so that all the rest is still judged.
    """

    declarations: Declarations = field(default_factory=Declarations)
    least_profile: str = "standard"
    areas: HostAreas = field(default_factory=HostAreas)
    unlocked: frozenset[str] = frozenset()

    @property
    def profile(self) -> str:
        return "strict" if "strict" in (self.least_profile, self.declarations.profile) else "standard"


@dataclass(frozen=True)
class Context:
    """A policy together with the look-ups of one decision; what is asked twice is looked up once."""

    policy: Policy
    lookups: Lookups
    _cache: dict[str, Mapping[str, Volume]] = field(default_factory=dict)
    _paths: dict[str, str] = field(default_factory=dict)

    @property
    def profile(self) -> str:
        return self.policy.profile

    @property
    def is_strict(self) -> bool:
        return self.policy.profile == "strict"

    @property
    def volumes(self) -> Mapping[str, Volume]:
        if "volumes" not in self._cache:
            self._cache["volumes"] = self.lookups.volumes()
        return self._cache["volumes"]

    @property
    def protected(self) -> frozenset[str]:
        return self.policy.declarations.protected(self.volumes) - self.policy.unlocked

    @property
    def names(self) -> EngineNames:
        return EngineNames(self.lookups.image, self.network)

    def network(self, reference: str) -> str:
        """The name of the network that the engine means; what cannot be an id is asked of nobody."""
        if reference in DEFAULT_NETWORKS:
            return "bridge"
        return self.lookups.network(reference) or reference if _MAYBE_ID.fullmatch(reference) else reference

    def unless_allowed(self, container: Container, permission: str, refusal: Refusal) -> None:
        """Raises the refusal, with the command that allows this, unless root allowed this container this one thing."""
        permission = permission.replace("'", "").replace('"', "")  # a shell's, where the hint is followed
        if not self.policy.declarations.allows(container.name, container.image, permission):
            image = str(container.config.get("image") or container.image)
            name = container.name or "NAME (docker run --name)"
            raise refusal.with_alternative(f"ledgerguard allow {name} {image} {shlex.quote(permission)}")

    def bound_directory(self, mount: Mount) -> str:
        """The directory of the host that a mount was made of; "" where the engine made one."""
        if mount.kind == "bind":
            return mount.source
        volume = self.volumes.get(mount.source) if mount.kind == "volume" and mount.source else None
        device = volume.options.get("device", "") if volume else ""
        return device if device.startswith("/") else ""

    def directory_of(self, volume: str) -> str:
        """Where the data of a volume stands on the host: the directory it is bound to, else its mountpoint."""
        device = self.volumes[volume].options.get("device", "")
        return device if device.startswith("/") else f"{self.policy.areas.data_root}/volumes/{volume}/_data"

    def protected_paths(self) -> dict[str, str]:
        """path or location → protected volume that lives there: its mountpoint, the directory it is bound to, where
        links of the host put either, and what is mounted in them."""
        if not self._paths:
            self._paths.update(self._protected_paths())
        return self._paths

    def _protected_paths(self) -> dict[str, str]:
        owners_of_paths: dict[str, str] = {}
        for name in sorted(self.protected):
            declared, volume = self.policy.declarations.volumes.get(name), self.volumes.get(name)
            devices = [declared.device if declared else "", volume.options.get("device", "") if volume else ""]
            directory = f"{self.policy.areas.data_root}/volumes/{name}"
            for path in (*filter(lambda device: device.startswith("/"), devices), directory, f"{directory}/_data"):
                real = self.lookups.real_path(path)
                owners_of_paths.update(dict.fromkeys((path, real, *self.lookups.submounts(real)), name))
        locations = zip(self.lookups.locations(tuple(owners_of_paths)), owners_of_paths.values(), strict=True)
        return {**owners_of_paths, **dict(locations)}

    def owners_volumes(self) -> frozenset[str]:
        """Unprotected volumes that owners mount beside their own: what stands there decides what they do."""
        grants = (grant for volume in self.policy.declarations.volumes.values() for grant in volume.grants)
        sources = {mount.source for grant in grants for mount in grant.mounts if not mount.source.startswith("/")}
        return frozenset(sources - {""}) - self.protected - self.policy.unlocked

    def owners_files(self) -> tuple[str, ...]:
        """Host paths that owners mount beside their volume: their configuration decides what they do."""
        grants = (grant for volume in self.policy.declarations.volumes.values() for grant in volume.grants)
        return tuple(
            sorted({mount.source for grant in grants for mount in grant.mounts if mount.source.startswith("/")})
        )
