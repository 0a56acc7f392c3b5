"""What the role's modules share, found under the name that Ansible gives it when it packs a module."""

from __future__ import annotations

import sys

from roles.protected_volume.module_utils import protected_volumes

sys.modules["ansible.module_utils.protected_volumes"] = protected_volumes
