"""The parser of PSP pages, which is built into the module."""

from _psp import _parse_to_run, parse, parsestring

__all__ = ["parse", "parsestring"]
