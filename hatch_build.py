"""Builds the module for a wheel: cargo, for the Python that pip runs with and the httpd that apxs names.

MOD_PYTHON_SO names a module that is built already. What is missing is said in one sentence.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_RUST = (1, 85)


class Missing(Exception):
    """What a build needs and is not there, and how to get it."""


class CustomBuildHook(BuildHookInterface):
    """Puts mod_python.so into the wheel, which is for this Python and this system."""

    def initialize(self, version, build_data):
        if version == "editable":
            # The library is enough for an editor; a module of this checkout is built by apxs/serve or apxs/install.
            return
        try:
            module = os.environ.get("MOD_PYTHON_SO") or self.build()
        except Missing as missing:
            # In the place of a traceback through the backend
            sys.exit(f"mod_python: {missing}")
        if not os.path.isfile(module):
            sys.exit(f"mod_python: MOD_PYTHON_SO={module} is not a file.")
        folder = os.path.join(self.directory, ".module")
        os.makedirs(folder, exist_ok=True)
        packed = os.path.join(folder, "mod_python.so")
        strip = shutil.which("strip")
        if strip is None or subprocess.run([strip, "--strip-debug", "-o", packed, module]).returncode != 0:
            shutil.copyfile(module, packed)
        build_data["force_include"][packed] = "mod_python/mod_python.so"
        build_data["pure_python"] = False
        platform = os.environ.get("MOD_PYTHON_PLATFORM_TAG") or re.sub("[.-]", "_", sysconfig.get_platform())
        python = f"cp{sys.version_info.major}{sys.version_info.minor}"
        build_data["tag"] = f"{python}-{python}-{platform}"

    def finalize(self, version, build_data, artifact_path):
        shutil.rmtree(os.path.join(self.directory, ".module"), ignore_errors=True)

    def build(self):
        """The path of the module."""
        cargo = self.cargo()
        self.check_python()
        environ = {**os.environ, "PYO3_PYTHON": sys._base_executable or sys.executable}
        environ["RUSTFLAGS"] = " ".join(filter(None, (environ.get("RUSTFLAGS"), *self.rpath())))
        self.app.display_info("Building mod_python.so by cargo: the first time, that takes a minute or two.")
        done = subprocess.run(
            [cargo, "build", "--release", "--locked", "--message-format=json-render-diagnostics"],
            cwd=self.root, env=environ, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        found = re.findall(r'"([^"]*/libmod_python\.so)"', done.stdout)
        if done.returncode != 0 or not found:
            raise Missing("the module was not built; what cargo said is above.")
        return found[-1]

    @staticmethod
    def cargo():
        """cargo, if it is new enough."""
        cargo = shutil.which("cargo")
        words = "install it from https://rustup.rs, or on Debian 13 and later with: apt install cargo"
        if cargo is None:
            raise Missing(f"the module is built by Rust, and there is no cargo here: {words}")
        said = subprocess.run([cargo, "--version"], capture_output=True, text=True).stdout
        found = re.search(r"cargo (\d+)\.(\d+)", said)
        if found is None or (int(found[1]), int(found[2])) < OLDEST_RUST:
            raise Missing(f"the module takes Rust {'.'.join(map(str, OLDEST_RUST))} or later, and {cargo} is {said.strip() or 'none'}: {words}")
        return cargo

    @staticmethod
    def check_python():
        """Whether this Python has a library that httpd can load."""
        if not sysconfig.get_config_var("Py_ENABLE_SHARED"):
            raise Missing(
                f"{sys.executable} has no shared libpython, which httpd would load: take the system's Python, or build one with --enable-shared "
                "(pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared)."
            )
        header = os.path.join(sysconfig.get_path("include"), "Python.h")
        if not os.path.isfile(header):
            raise Missing(f"{sys.executable} has no headers ({header}): install them (Debian: apt install python3-dev; Fedora: dnf install python3-devel).")

    @staticmethod
    def rpath():
        """Where the loader finds a libpython that is not the system's."""
        folder = sysconfig.get_config_var("LIBDIR") or ""
        if not folder or folder.startswith("/usr/lib"):
            return []
        return [f"-Clink-arg=-Wl,-rpath,{folder}"]
