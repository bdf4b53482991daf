"""What WSGI environs have in common, and wsgi.file_wrapper (PEP 3333)."""

from _io import BufferedRandom, BufferedReader, FileIO

from .version import version


class FileWrapper:
    """A file as the iterable that an application returns; one on disk is sent without reading it here."""

    __slots__ = ("filelike", "blksize", "close")

    def __init__(self, filelike, blksize=8192):
        self.filelike = filelike
        self.blksize = blksize
        close = getattr(filelike, "close", None)
        if close is not None:
            self.close = close

    @property
    def is_plain(self):
        """Whether what is read is what the file on disk has, from its position on. Others pass on the descriptor, and read something else."""
        file = self.filelike
        if type(file).__name__ == "_TemporaryFileWrapper" and type(file).__module__ == "tempfile":
            file = file.file
        return type(file) is FileIO or (type(file) in (BufferedReader, BufferedRandom) and type(file.raw) is FileIO)

    def __iter__(self):
        read, size = self.filelike.read, self.blksize
        while data := read(size):
            yield data


def template(interpreter, callable_name, software, multithread, multiprocess, *more):
    """The environ of an application as far as it is the same for all requests; more is pairs of a key and its value."""
    return {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_SOFTWARE": software,
        "wsgi.version": (1, 0),
        "wsgi.multithread": multithread,
        "wsgi.multiprocess": multiprocess,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
        "wsgi.input_terminated": True,
        "mod_python.interpreter": interpreter,
        "mod_python.version": version,
        "mod_wsgi.application_group": interpreter,
        "mod_wsgi.callable_object": callable_name,
        "mod_wsgi.process_group": "",
        **dict(more),
    }
