"""Puts another Debian suite beside the one a machine has, from the machine's own package sources.

A module of its own because it reads apt's two file formats and knows nothing of Docker: who needs a package of the next
Debian release gets it from the mirror the machine already uses, be it private or public.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

OWN_FIELDS = ("types", "uris", "suites", "components", "enabled")


def debian_suite_sources(files: Mapping[str, str], old: str, new: str) -> str:
    """The deb822 text that puts suite `new` beside `old`, from the same mirrors, the security suite included.

    Raises ValueError with a refusal where no source of `old` is found.
    """
    entries = [entry for path in sorted(files) for entry in _entries(path, files[path], old, new)]
    stanzas = list(dict.fromkeys(entries))
    if not stanzas:
        file_names = ", ".join(sorted(files)) or "no file"
        raise ValueError(
            f"apt: no package source of {old} in {file_names}\nHINT: add one of {old} to /etc/apt/sources.list"
        )
    return "\n".join(stanzas)


def _entries(path: str, text: str, old: str, new: str) -> list[str]:
    return _deb822_entries(text, old, new) if path.endswith(".sources") else _line_entries(text, old, new)


def _rename_suites(suites: Sequence[str], old: str, new: str) -> list[str]:
    # Only the suite itself and its security and point-release updates: no backports, no proposed updates.
    new_names = {old: new, f"{old}-updates": f"{new}-updates", f"{old}-security": f"{new}-security"}
    return [new_names[suite] for suite in suites if suite in new_names]


def _deb822_entries(text: str, old: str, new: str) -> list[str]:
    stanzas = []
    for block in re.split(r"\n\s*\n", text):
        fields = _deb822_fields(block)
        suites = _rename_suites(fields.get("suites", "").split(), old, new)
        enabled = fields.get("enabled", "yes").lower() not in ("no", "false")
        if suites and enabled and "deb" in fields.get("types", "").split():
            options = {k: v for k, v in fields.items() if k not in OWN_FIELDS}
            stanzas.append(_stanza(fields.get("uris", ""), suites, options))
    return stanzas


def _deb822_fields(block: str) -> dict[str, str]:
    """Field name in lower case → value; an embedded key keeps its lines."""
    fields: dict[str, str] = {}
    name = ""
    for line in block.splitlines():
        if line.startswith("#"):
            continue
        if line[:1] in (" ", "\t"):
            fields[name] = f"{fields.get(name, '')}\n{line}"
        elif ":" in line:
            name, content = line.split(":", 1)
            name = name.strip().lower()
            fields[name] = content.strip()
    return fields


def _line_entries(text: str, old: str, new: str) -> list[str]:
    stanzas = []
    for line in text.splitlines():
        match = re.match(r"deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s", line.strip() + " ")
        suites = _rename_suites([match["suite"]], old, new) if match and not match["uri"].startswith("cdrom:") else []
        if match and suites:
            words = (word.split("=", 1) for word in (match["options"] or "").split() if "=" in word)
            names = {"arch": "architectures", "lang": "languages", "target": "targets"}
            options = {names.get(key, key): setting.replace(",", " ") for key, setting in words}
            stanzas.append(_stanza(match["uri"], suites, options))
    return stanzas


def _stanza(uris: str, suites: Sequence[str], options: Mapping[str, str]) -> str:
    lines = ["Types: deb", f"URIs: {uris}", f"Suites: {' '.join(suites)}", "Components: main"]
    lines += [f"{key.title()}: {setting}" for key, setting in sorted(options.items())]
    return "\n".join(lines) + "\n"
