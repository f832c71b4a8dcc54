"""``python -m kist`` is the command ``kist``."""

import sys

from kist.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
