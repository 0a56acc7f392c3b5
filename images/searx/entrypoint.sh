#!/bin/sh
# Gives Debian's searx the official image's interface.
set -eu
: "${SEARXNG_SECRET:?searxng: SEARXNG_SECRET is not set; HINT: the role searxng starts the container through its start script}"
export SEARX_SECRET="${SEARXNG_SECRET}"
export SEARX_SETTINGS_PATH="${SEARXNG_SETTINGS_PATH:-/etc/searxng/settings.yml}"
if [ ! -f "${SEARX_SETTINGS_PATH}" ]; then
    # Without the file Debian's searx starts all the same, with no engine.
    echo "searxng: ${SEARX_SETTINGS_PATH}: no such file" >&2
    exit 78
fi
exec gunicorn --bind 0.0.0.0:8080 --workers 1 --threads 4 --worker-tmp-dir /dev/shm searx.webapp:app
