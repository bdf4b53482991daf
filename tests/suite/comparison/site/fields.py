"""Handlers that show what forms have."""

from mod_python import apache, util


def text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def show(req, facts, **names):
    names.update({"apache": apache, "util": util, "text": text, "req": req})
    lines = ["== facts"]
    for fact in facts:
        try:
            shown = repr(eval(fact, names))
        except Exception as error:
            shown = "raises %s" % type(error).__name__
        lines.append("%s ==> %s" % (fact, shown.replace("\n", "\\n")))
    page = "\n".join(lines).encode()
    req.content_type = "text/plain"
    req.set_content_length(len(page))
    req.write(page)
    return apache.OK


FACTS = """\
f.keys()
f.list
len(f)
[text(x.value) for x in f.list]
[x.filename for x in f.list]
[type(x).__name__ for x in f.list]
[x.file.read() for x in f.list]
[(x.type, x.type_options, x.disposition, x.disposition_options) for x in f.list]
f.getlist('aa')
f['aa']
'aa' in f
util.apply_fs_data(lambda aa=None: aa, f)
""".splitlines()


def handler(req):
    return show(req, FACTS, f=util.FieldStorage(req))


def blank(req):
    return show(req, FACTS, f=util.FieldStorage(req, keep_blank_values=1))


def away(req):
    arguments = {"permanent": (1,), "text": (0, "go there")}.get(req.args, ())
    util.redirect(req, "/else where?a=1&b=\"<" if req.args == "odd" else "http://other.test/x", *arguments)


MADE = """\
f.add_field('new', 'value')
f.add_field(b'new', b'bytes')
f['aa'] = 'set'
f.__setitem__('aa', 'set')
f.__setitem__('aa', b'set')
f.__setitem__('aa', 5)
f['aa']
f.getlist('new')
f.__delitem__('new')
f.__delitem__('nothing')
f['nothing']
f.clear()
len(f), f.keys(), f.items(), f.list
util.Field('x').name
util.FieldList()
util.FieldList().table()
util.parse_header(b'text/html; charset=utf-8; Level="1"')
util.parse_header(b'form-data; name="a;b"; filename="c"')
util.parse_header(b'')
util.parse_header('text/html; a=b')
util.apply_fs_data(len, f)
util.apply_fs_data(5, f)
util.apply_fs_data(lambda **all: sorted(all), f, given=1)
util.apply_fs_data(lambda needed: needed, f)
util.readBlockSize
""".splitlines()


def made(req):
    return show(req, MADE, f=util.FieldStorage(req))
