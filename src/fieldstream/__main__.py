"""``python -m fieldstream``: the command ``fieldstream``."""

import sys

from fieldstream.cli import main

if __name__ == "__main__":
    sys.exit(main())
