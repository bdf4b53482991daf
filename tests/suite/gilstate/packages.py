"""Has numpy and lxml call back into Python by GILState, where they can be loaded."""

import io
import warnings
import who

from callbacks import check, counted
from mod_python import apache

warnings.simplefilter("ignore")
try:
    import numpy
    np = "here"
except ImportError as error:
    np = "missing" if isinstance(error, ModuleNotFoundError) and error.name == "numpy" else "refused"

try:
    from lxml import etree
    xml = "here"
except ImportError as error:
    xml = "missing" if isinstance(error, ModuleNotFoundError) and error.name == "lxml" else "refused"


def use_numpy():
    # What to call is kept for each thread
    with numpy.errstate(all="call", call=lambda kind, flag: check()):
        for n in range(20):
            numpy.array([1.0, n]) / 0
            assert int(numpy.arange(1000).reshape(10, 100).sum()) == 499500


class Reader(io.BytesIO):
    def read(self, size=-1):
        check()
        return super().read(size)


def use_lxml():
    class Target:
        def start(self, tag, attributes):
            check()

        def end(self, tag):
            check()

        def close(self):
            return "closed"

    tree = etree.parse(Reader(b"<a>" + b"<b/>" * 2000 + b"</a>"))
    assert len(tree.getroot()) == 2000
    assert tree.xpath("f(//b)", extensions={(None, "f"): lambda context, found: check() or len(found)}) == 2000
    assert etree.parse(Reader(b"<a><b/></a>"), etree.XMLParser(target=Target())) == "closed"
    try:
        etree.parse(Reader(b"<a><b></a>"))
    except etree.XMLSyntaxError:
        pass


def handler(req):
    if np == "here":
        counted(use_numpy)
    if xml == "here":
        counted(use_lxml)
    return who.tell(req, numpy=np, lxml=xml)
