"""What every new interpreter runs first, before the code of any application.

The module executes this file's source and calls start(). It must stay lean, and so must all that it imports: its time is added to
the first request. The parts of the standard library that Python itself has not loaded at its start (functools, types, since 3.13
threading) are left to the applications that need them.
"""

import marshal
import os
import sys

from _frozen_importlib import ModuleSpec

import _apache

if sys.version_info < (3, 13):
    # threading takes its importer for the main thread. One of httpd's own may end, and the main thread is not to be dead then; here
    # it is the thread that makes the interpreter, whose state is kept.
    import threading  # noqa: F401


class Library:
    """Finds and loads the library that travels inside the module."""

    def find_spec(self, fullname, path=None, target=None):
        """The spec of mod_python or a part of it, else None."""
        if fullname != "mod_python" and not fullname.startswith("mod_python."):
            return None
        found = _apache._library_source(fullname)
        if found is None:
            return None
        return ModuleSpec(fullname, self, origin=found[2], is_package=found[1])

    def create_module(self, spec):
        """None: an ordinary module."""
        return None

    def exec_module(self, module):
        """Run the module's code."""
        module.__file__ = module.__spec__.origin
        exec(self.get_code(module.__name__), module.__dict__)

    def get_code(self, fullname):
        """The code of a part: as it was compiled with the module, else by the first interpreter of the child that needs it."""
        kept = _apache._library_code(fullname)
        if kept is not None:
            return marshal.loads(kept)
        source, _, path = self._part(fullname)
        code = compile(source, path, "exec", dont_inherit=True)
        _apache._keep_library_code(fullname, marshal.dumps(code))
        return code

    def get_source(self, fullname):
        """The source of a part, which tracebacks show lines of."""
        return self._part(fullname)[0].decode("utf-8")

    def get_filename(self, fullname):
        """What tracebacks call the file of a part."""
        return self._part(fullname)[2]

    def is_package(self, fullname):
        """Whether a part is the package itself."""
        return self._part(fullname)[1]

    def _part(self, fullname):
        found = _apache._library_source(fullname)
        if found is None:
            raise ImportError(f"the library has no module {fullname!r}", name=fullname)
        return found


def start(name, environ, is_main):
    """Make this interpreter ready for applications.

    name is the interpreter's, environ the environment (bytes to bytes) that the child started with, is_main whether this is the
    process's main interpreter.
    """
    library = Library()
    sys.meta_path.insert(0, library)
    globals().update(__loader__=library, __spec__=library.find_spec(__name__))
    sys.argv = ["mod_python"]

    from mod_python import _process, _streams, _threads

    _process.own_environ(environ)
    if is_main:
        # Before it is wrapped: Python calls this one for its own forks only.
        os.register_at_fork(after_in_child=_apache._forked_by_python)
    _process.note_fork_hooks()
    if is_main:
        _process.keep_signals()
        _process.guard_fork()
    else:
        _process.refuse_fork(name)
    _streams.install()
    _threads.install(name)
