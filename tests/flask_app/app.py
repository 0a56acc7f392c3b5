"""A web app that is not Django: it proves that role `app` and the health contract know nothing of LedgerFlow."""

import os
from pathlib import Path
from urllib.parse import quote

import psycopg
from flask import Flask, Response

app = Flask(__name__)


def database_url() -> str:
    file = os.environ.get("DATABASE_PASSWORD_FILE", "")
    password = Path(file).read_text(encoding="utf-8").strip() if file else ""
    url = os.environ["DATABASE_URL"]
    return url.replace("@", f":{quote(password, safe='')}@", 1) if password else url


def visit() -> int:
    """One row of its own: the count survives a restart, so a test can tell one database from another."""
    with psycopg.connect(database_url(), connect_timeout=3) as connection:
        row = connection.execute("UPDATE visits SET n = n + 1 RETURNING n").fetchone()
    return int(row[0]) if row else 0


@app.get("/")
def index() -> str:
    return f"visit {visit()}\n"


@app.get("/healthz")
def healthz() -> str:
    return "ok\n"


@app.get("/readyz")
def readyz() -> Response:
    try:
        with psycopg.connect(database_url(), connect_timeout=3) as connection:
            connection.execute("SELECT n FROM visits")
    except psycopg.Error as error:
        return Response(f"{type(error).__name__}\n", status=503)
    return Response("ok\n")


@app.get("/edgez")
def edgez() -> Response:
    gate = os.environ.get("GATE_FILE", "")
    if gate and not Path(gate).is_file():
        return Response("gate closed\n", status=503)
    return readyz()


@app.cli.command("migrate")
def migrate() -> None:
    """Run as the role that owns the tables; may run again."""
    with psycopg.connect(database_url()) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS visits (id int PRIMARY KEY, n bigint NOT NULL)")
        connection.execute("INSERT INTO visits VALUES (1, 0) ON CONFLICT DO NOTHING")
