"""Healthy is: it answers, and the engines named as arguments are loaded.

A file of its own because /healthz says 200 even where no engine could be loaded, and because both images have Python
but no other program in common that can read what /config answers. /config leaves out an engine whose token the request
lacks, so the tokens are read from the settings.
"""

import http.client
import json
import sys
from pathlib import Path

import yaml

SETTINGS = "/etc/searxng/settings.yml"


def tokens() -> str:
    engines = yaml.safe_load(Path(SETTINGS).read_text(encoding="utf-8"))["engines"]
    return ",".join(token for engine in engines for token in engine.get("tokens", []))


def asked(path: str, **headers: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=4)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    if answer.status != 200:
        sys.exit(f"searxng: {path} answers {answer.status}")
    return answer.read()


def main(engines: list[str]) -> None:
    asked("/healthz")
    loaded = {engine["name"] for engine in json.loads(asked("/config", Cookie=f"tokens={tokens()}"))["engines"]}
    missing = sorted(set(engines) - loaded)
    if missing:
        sys.exit(f"searxng: engines not loaded: {', '.join(missing)}")


if __name__ == "__main__":
    main(sys.argv[1:])
