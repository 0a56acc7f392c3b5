"""`python -m tools.runner`: what `make test` runs."""

from __future__ import annotations

import sys

from tools.runner.cli import main

sys.exit(main(sys.argv[1:]))
