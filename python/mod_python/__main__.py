"""``python3 -m mod_python``: the command mod_python."""

import sys

from ._command import main

sys.exit(main())
