"""`python -m ledgerguard`, the same as the console script; a module of its own because a zipapp starts here."""

import sys

from ledgerguard.cli import main

sys.exit(main(sys.argv[1:]))
