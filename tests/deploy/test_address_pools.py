"""An engine whose address pools are used up: the deploy stops at the networks and says what to do about it.

Its twin is every other deploy: an engine with room.
"""

from __future__ import annotations

from pathlib import Path

from tools.kit.engines import EngineStack, engine


def test_networks_without_addresses_are_refused_with_the_way_out(tmp_path: Path) -> None:
    with engine("--default-address-pool=base=10.213.0.0/16,size=17") as small:  # two: docker0's and one more
        stack = EngineStack(tmp_path, engine=small)
        try:
            run = stack.play("deploy")
            said = " ".join(run.text.split())
            assert run.status != 0
            assert f"networks of {stack.id}: the engine did not make them" in said
            assert "non-overlapping IPv4 address pool" in said
            assert "HINT: docker network ls; where its address pools are used up" in said
            assert stack.containers() == {}
        finally:
            stack.remove()
