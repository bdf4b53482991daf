"""``mod_python module-config``: the lines for httpd.conf that load the module of this package, for its virtual environment."""

import os
import sys

from ._command import CommandError

EPILOG = """\
Put them into httpd's configuration. On Debian and Ubuntu, for example, where no package has a file of that name:

    mod_python module-config | sudo tee /etc/apache2/mods-available/python.load && sudo a2enmod python

'mod_python install' copies the module into httpd's own folder, and writes its line where this httpd keeps such lines.
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
    sys.stdout.flush()
    for sentence in _others():
        print(f"{options.called}: {sentence}", file=sys.stderr)
    return 0


def _others():
    """What another package has put there already."""
    from ._command_httpd import SystemHttpd, package_of, programs
    from ._command_install_layout import Layout

    for program in programs():
        layout = Layout.of(SystemHttpd(program))
        package = package_of(layout.load_file) if layout.kind != "line" and os.path.exists(layout.load_file) else ""
        if package:
            yield f"{layout.load_file} belongs to the package {package}, and loads its module: remove that package before you put these lines into {program}'s configuration."
