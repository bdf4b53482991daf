"""Runs the command mod_python out of this checkout: command.py CALLED COMMAND ARGUMENT..., where CALLED is what the user has typed."""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python"))

from mod_python._command import main

sys.exit(main(sys.argv[2:], called=sys.argv[1]))
