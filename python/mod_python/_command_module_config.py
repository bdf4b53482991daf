"""``mod_python module-config``: the lines for httpd.conf that load the module of this package, for its virtual environment."""

import os
import sys

from ._command import CommandError

EPILOG = """\
Put them into httpd's configuration, for example:

    mod_python module-config | sudo tee /etc/apache2/mods-available/python.load && sudo a2enmod python
"""


def add_arguments(parser):
    """The arguments of the command line."""
    parser.add_argument("--module", metavar="FILE", help="mod_python.so, if it is not beside this package")


def run(options):
    """Print them."""
    module = options.module or os.path.join(os.path.dirname(os.path.abspath(__file__)), "mod_python.so")
    if not os.path.isfile(module):
        raise CommandError(f"there is no {module}: this package has the library alone; --module names the module (apxs/install builds and installs one).")
    from ._command_serve_httpd import python_of

    python_of(module)
    print(f'LoadModule python_module "{os.path.realpath(module)}"')
    if sys.prefix != sys.base_prefix:
        print(f'PythonHome "{sys.prefix}"')
    return 0
