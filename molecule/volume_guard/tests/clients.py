"""Runs on a host: eight clients call the engine while the guard is exchanged again and again; what was answered amiss.

A file of its own because it runs inside of the host, by the host's own Python: `clients.py EXCHANGES`.
"""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import threading
import time

CANARY = "ledgerguard-canary"
JSON = {"Content-Type": "application/json"}


class Engine(http.client.HTTPConnection):
    """A kept connection to the engine."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(40)
        self.sock.connect("/run/docker.sock")

    def call(self, method: str, path: str, body: str = "") -> tuple[int, str]:
        self.request(method, path, body, JSON)
        response = self.getresponse()
        return response.status, response.read().decode()


def client(number: int, stop: threading.Event, answers: list[str], wrong: list[str]) -> None:
    """One call that has to be allowed and one that has to be refused by rule, in turns."""
    engine = Engine("localhost")
    while not stop.is_set():
        made = engine.call("POST", "/volumes/create", json.dumps({"Name": f"client{number}"}))
        removed = engine.call("DELETE", f"/volumes/{CANARY}")
        answers += ["made", "removed"]
        if made[0] != 201:
            wrong.append(f"create: {made}")
        if removed[0] != 403 or "protected volume" not in removed[1]:
            wrong.append(f"remove: {removed}")


def running() -> str:
    argv = ["systemctl", "show", "--property=MainPID", "--value", "ledgerguard"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def main(exchanges: int) -> None:
    stop, answers, wrong, guards = threading.Event(), list[str](), list[str](), [running()]
    threads = [threading.Thread(target=client, args=(number, stop, answers, wrong)) for number in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(exchanges):
        time.sleep(0.3)  # calls go on between two exchanges
        subprocess.run(["systemctl", "restart", "ledgerguard"], check=True)
        guards.append(running())
    time.sleep(0.3)  # and after the last
    stop.set()
    for thread in threads:
        thread.join()
    print(json.dumps({"calls": len(answers), "wrong": wrong[:5], "guards": guards}))


main(int(sys.argv[1]))
