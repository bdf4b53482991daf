"""The module without its symbols, which go into a file beside it: debuggers find them there by the name in .gnu_debuglink."""

import os
import shutil
import subprocess


def split(module, folder):
    """Write mod_python.so and mod_python.so.debug for a module into a folder; the paths, and None for the second if the module has no symbols.

    Without objcopy (binutils) the module stays as it is.
    """
    stripped, symbols = os.path.join(folder, "mod_python.so"), os.path.join(folder, "mod_python.so.debug")
    shutil.copyfile(module, stripped)
    if shutil.which("objcopy") is None or not _has_symbols(module):
        return stripped, None
    for command in (
        ["objcopy", "--only-keep-debug", "--compress-debug-sections=zlib", module, symbols],
        ["objcopy", "--strip-unneeded", module, stripped],
        ["objcopy", f"--add-gnu-debuglink={symbols}", stripped],
    ):
        if subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True).returncode != 0:
            shutil.copyfile(module, stripped)
            return stripped, None
    return stripped, symbols


def _has_symbols(module):
    said = subprocess.run(["objdump", "-h", module], stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout
    return ".debug_line" in said or ".debug_info" in said
