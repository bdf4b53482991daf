"""What ``mod_python serve`` serves: an application, handlers or a site, found by what its files say. Nothing of it is run."""

import ast
import os
import re
from dataclasses import dataclass

from ._command import UsageError

_NAMES = r"[A-Za-z_][A-Za-z0-9_.]*"

# What an application is called where nobody says so, and what makes one
_OBJECTS = ("application", "app")
_FACTORIES = ("create_app", "make_app", "create_application", "make_application")


@dataclass
class App:
    """What is served."""

    kind: str  # application, folder (of handlers), module (a handler), site (with an httpd.conf)
    name: str  # as the user has it
    place: str  # the folder with its code
    target: str = ""  # what PythonApplication or PythonHandler calls it
    file: str = ""  # its file, if PythonApplication names one
    found: str = ""  # how it was found
    is_factory: bool = False


class Finder:
    """Reads what the user has named. ``called`` is the command as the user knows it, for advice."""

    def __init__(self, called, is_factory=False, venv=None):
        self.called, self.is_factory, self.venv = called, is_factory, venv

    def read(self, app):
        """The App; UsageError says in a sentence what is wrong."""
        found = self._read(app)
        if found.kind != "application" and self.is_factory:
            raise UsageError(f"--factory is for a WSGI application, and {app} is none.")
        return found

    def _read(self, app):
        if not app:
            raise UsageError("APP is empty.")
        if os.path.isdir(app):
            place = os.path.realpath(app)
            if os.path.isfile(os.path.join(place, "httpd.conf")):
                return App("site", app, place)
            return self._folder(app, place)
        if os.path.isfile(app):
            return self._file(app, "")
        file, _, name = app.rpartition(":")
        if file.endswith((".py", ".wsgi")) and os.path.isfile(file):
            return self._file(file, name)
        here = os.path.realpath(os.getcwd())
        if re.fullmatch(f"{_NAMES}::{_NAMES}", app):
            module = app.partition("::")[0]
            if not _is_in_folder(here, module) and not _is_of_mod_python(module) and not (self.venv and self.venv.has_module(module)):
                raise UsageError(f"the current directory has no module {module}.")
            return App("module", app, here, target=app)
        if re.fullmatch(f"{_NAMES}:{_NAMES}", app):
            return self._named(app, app.partition(":")[0], here)
        if re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", app) and _is_in_folder(here, app):
            # As mysite.wsgi: the application of a module
            path = _file_of(here, app)
            name = self._object_in(path)
            if name is None:
                raise self._without_object(app, path)
            return self._application(os.path.relpath(path, here), name, app, here)
        raise UsageError(
            f"there is no folder or file {app}, and it is no module:object (an application) or module::handler (a handler) either."
        )

    def _named(self, app, module, here):
        if not _is_in_folder(here, module) and not (self.venv and self.venv.has_module(module)):
            where = f"neither the current directory nor {self.venv.folder}" if self.venv else "the current directory"
            raise UsageError(f"{where} has {'the' if self.venv else 'no'} module {module}.")
        return App("application", app, here, target=app, is_factory=self.is_factory)

    def _file(self, app, name):
        if not app.endswith((".py", ".wsgi")):
            raise UsageError(f"{app} is a file, and neither Python (.py) nor a WSGI script (.wsgi).")
        place = os.path.realpath(os.path.dirname(app) or ".")
        if name:
            if not re.fullmatch(_NAMES, name):
                raise UsageError(f"'{name}' is not the name of an object in {app}.")
            return self._application(os.path.basename(app), name, app, place)
        name = self._object_in(app)
        if name is not None:
            return self._application(os.path.basename(app), name, app, place)
        if defines(app, "handler"):
            module = os.path.basename(app).removesuffix(".py")
            raise UsageError(f"{app} defines a handler: serve its folder, or go there and serve {module}::handler.")
        raise self._without_object(app, app)

    def _without_object(self, app, path, beside=""):
        """Why a file has no application that could be found. ``beside`` says what there is beside it."""
        error = _syntax_error(path)
        if error is not None:
            return UsageError(f"{app} is not valid Python ({error}): correct that first.")
        return UsageError(f"{app} defines {self._nothing_known()}{beside}: write {self.called} {app}:OBJECT.")

    def _nothing_known(self):
        return f"none of {', '.join(_FACTORIES)}" if self.is_factory else "neither application nor app"

    def _folder(self, app, place):
        if os.path.isfile(os.path.join(place, "manage.py")):
            return self._django(app, place)
        handlers = handlers_in(place)
        # A wsgi.py or a script is made to be served, and often imports from app.py: that is looked at last.
        names = sorted(os.listdir(place))
        found = [name for name in ["wsgi.py", *(name for name in names if name.endswith(".wsgi"))] if os.path.isfile(os.path.join(place, name))]
        main = os.path.join(place, "app.py")
        if not found and os.path.isfile(main) and self._object_in(main) is not None:
            found = ["app.py"]
        if not found:
            inner = [os.path.join(name, "wsgi.py") for name in names]
            found = [name for name in inner if os.path.isfile(path := os.path.join(place, name)) and self._object_in(path) is not None]
        if found and handlers:
            raise UsageError(
                f"{app} has an application ({found[0]}) and handlers ({' '.join(handlers)}): write {self.called} {app}/{found[0]}, "
                "or go there and serve module::handler."
            )
        if len(found) > 1:
            raise UsageError(f"{app} has several applications: write one of {', '.join(f'{self.called} {app}/{name}' for name in found)}.")
        if found:
            name = self._object_in(os.path.join(place, found[0]))
            if name is None:
                raise self._without_object(f"{app}/{found[0]}", os.path.join(place, found[0]))
            return self._application(found[0], name, app, place)
        if handlers:
            return App("folder", app, place)
        if os.path.isfile(main):
            raise self._without_object(f"{app}/app.py", main, f", and nothing else in {app} looks like an application")
        raise UsageError(
            f"{app} has no application (manage.py, wsgi.py, app.py, *.wsgi), no .py file that defines handler(req), and no httpd.conf: "
            f"go there and write {self.called} module:object."
        )

    def _django(self, app, place):
        """manage.py names the settings; the application is the wsgi.py beside them, or above."""
        found = re.search(r"DJANGO_SETTINGS_MODULE['\"][^'\"\n]*['\"]([A-Za-z0-9_.]+)['\"]", _text(os.path.join(place, "manage.py")))
        if found is None:
            raise UsageError(f"{app}/manage.py names no DJANGO_SETTINGS_MODULE: go there and write {self.called} project.wsgi:application.")
        package = settings = found[1]
        while "." in package:
            package = package.rpartition(".")[0]
            if os.path.isfile(os.path.join(place, *package.split("."), "wsgi.py")):
                return App(
                    "application", app, place, f"{package}.wsgi:application", found=f"the Django project of {app}/manage.py ({settings})"
                )
        raise UsageError(
            f"{app}/manage.py belongs to a project ({settings}) without a wsgi.py: write {self.called} module:object for its application."
        )

    def _application(self, file, name, app, place):
        """The object of a file of the folder: PythonApplication names a module where it can be one."""
        is_factory = self.is_factory or name in _FACTORIES
        path = os.path.join(place, file)
        found = f"{name}{'()' if is_factory else ''} of {path}"
        if re.fullmatch(r"[A-Za-z_]\w*(/[A-Za-z_]\w*)*\.py", file):
            target = f"{file.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}:{name}"
            return App("application", app, place, target, found=found, is_factory=is_factory)
        return App("application", app, place, f"{path}:{name}", path, found, is_factory)

    def _object_in(self, path):
        """The application's name in a file: an object, or what makes one where there is none."""
        names = _FACTORIES if self.is_factory else _OBJECTS + _FACTORIES
        return next((name for name in names if defines(path, name)), None)


def _is_of_mod_python(module):
    """Whether it is a module of this library, such as mod_python.testhandler."""
    return module.startswith("mod_python.") and _is_in_folder(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), module)


def _file_of(folder, module):
    path = os.path.join(folder, *module.split("."))
    return path + ".py" if os.path.isfile(path + ".py") else os.path.join(path, "__init__.py")


def _is_in_folder(folder, module):
    path = os.path.join(folder, *module.split("."))
    return os.path.isfile(path + ".py") or os.path.isdir(path)


def _text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None


def _syntax_error(path):
    """Where a file is no Python, and why; None if it is."""
    try:
        with open(path, "rb") as file:
            ast.parse(file.read(), path)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}" if error.lineno else error.msg
    except ValueError as error:
        return str(error)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    return None


def defines(path, name):
    """Whether a Python file defines a name at its top level. The file is read, not run."""
    pattern = rf"^((async\s+)?def|class)\s+{name}\b|^{name}\s*[:=]|^from\s.*\simport\s.*\b{name}\b"
    return re.search(pattern, _text(path), re.MULTILINE) is not None


def handlers_in(folder):
    """The modules of a folder that define handler at their top level, by name."""
    names = (name.removesuffix(".py") for name in sorted(os.listdir(folder)) if name.endswith(".py"))
    return [name for name in names if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) and defines(os.path.join(folder, f"{name}.py"), "handler")]
