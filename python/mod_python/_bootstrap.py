"""The code that every new interpreter runs first, before any application.

The module executes this file and calls start(). It and its imports must be fast, since the first request waits for them. Modules
of the standard library that Python does not import at its start (functools, types, since 3.13 threading) are not imported here.
"""

import os
import sys

from _frozen_importlib import ModuleSpec

import _apache

if sys.version_info < (3, 13):
    # threading takes the thread that imports it for the main thread. That must not be one of httpd's threads, which may end, but the
    # thread that creates the interpreter, whose thread state is kept.
    import threading  # noqa: F401


class Library:
    """Finds and loads the library that is part of the module."""

    def find_spec(self, fullname, path=None, target=None):
        """The spec of mod_python or a part of it, and of mod_wsgi, which programs ask who serves them; else None."""
        if fullname == "mod_wsgi":
            from mod_python import _mod_wsgi

            return _mod_wsgi.find_spec(self)
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
        """The code of a part."""
        code = _apache._library_code(fullname)
        if code is None:
            raise ImportError(f"the library has no module {fullname!r}", name=fullname)
        return code

    def get_source(self, fullname):
        """The source of a part, for tracebacks."""
        return self._part(fullname)[0].decode("utf-8")

    def get_filename(self, fullname):
        """The file of a part in tracebacks."""
        return self._part(fullname)[2]

    def is_package(self, fullname):
        """Whether a part is the package itself."""
        return self._part(fullname)[1]

    def _part(self, fullname):
        found = _apache._library_source(fullname)
        if found is None:
            raise ImportError(f"the library has no module {fullname!r}", name=fullname)
        return found


def enter(folder, program):
    """Begin as bin/python of a virtual environment does: folder is the environment's, program its bin/python.

    The module has put site off until now: an empty module stands in its place, and nobody has looked for packages yet.
    """
    if sys.prefix == folder and hasattr(sys.modules.get("site"), "main"):
        return  # an attempt before this one has come so far
    sys.executable = program
    # CPython itself begins with this prefix since 3.14; before, site sets it. In a folder of conda's site has nothing to set.
    if sys.version_info >= (3, 14) or not os.path.exists(os.path.join(folder, "pyvenv.cfg")):
        sys.prefix = sys.exec_prefix = folder
    else:
        sys.prefix, sys.exec_prefix = sys.base_prefix, sys.base_exec_prefix
    while True:
        sys.modules.pop("site", None)
        import site  # which does its work when it is imported

        if hasattr(site, "main"):
            break
        from time import sleep

        sleep(0.001)  # that was the empty one again: another interpreter is just being made, and gets it
    if sys.prefix != folder:
        raise RuntimeError(f"{site.__file__} takes {sys.prefix} for the virtual environment, not {folder}: it is not Python's own site")


def start(name, environ, is_main, venv):
    """Prepare this interpreter for applications.

    name is the interpreter's name, environ the environment (bytes to bytes) that the child started with, is_main whether this is the
    main interpreter, venv the folder of its virtual environment and the program in it, or None.
    """
    library = Library()
    if venv is not None:
        enter(*venv)
    sys.meta_path.insert(0, library)
    globals().update(__loader__=library, __spec__=library.find_spec(__name__))
    sys.argv = ["mod_python"]

    from mod_python import _process, _programs, _standard_library, _streams, _threads

    _process.own_environ(environ)
    if not is_main and sys.version_info < (3, 12):
        # asyncio's C part remembers, once for all interpreters, which loop runs by the number of the thread state; thread states of two
        # interpreters have the same numbers, so it takes another interpreter's loop for this one's. asyncio goes on without it.
        sys.modules.setdefault("_asyncio", None)
    if is_main:
        # Before register_at_fork is wrapped: only Python's own forks call this function.
        os.register_at_fork(after_in_child=_apache._forked_by_python)
    _process.note_fork_hooks()
    if is_main:
        _process.keep_signals()
        _process.guard_fork()
    else:
        _process.refuse_fork(name)
    _programs.install()
    _standard_library.install()
    _streams.install()
    _threads.install(name)
    _threads.see_own_interpreter()
