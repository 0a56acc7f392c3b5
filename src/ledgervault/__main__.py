"""`python -m ledgervault`."""

import sys

from ledgervault.cli import main

if __name__ == "__main__":
    sys.exit(main())
