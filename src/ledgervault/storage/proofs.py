"""The proofs beside a backup."""

from __future__ import annotations

from collections.abc import Mapping

from ledgervault.model.proof import PROVEN, Proof
from ledgervault.model.records import RecordError, from_json
from ledgervault.storage.store import Store


def proven_texts(store: Store, file: str) -> Mapping[str, str]:
    """The definitions that the server of the newest proof wrote in other words than the manifest."""
    path = next((entry.path for entry in store.entries() if entry.file == file), None)
    for place in sorted(path.parent.glob(f"{path.name}.proof-*.json"), reverse=True) if path else ():
        try:
            file_proof = from_json(Proof, place.read_bytes())
        except (OSError, RecordError):
            continue
        if file_proof.verdict == PROVEN and file_proof.level == "data":
            return file_proof.written
    return {}
