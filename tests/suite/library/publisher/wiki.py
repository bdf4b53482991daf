"""A wiki in the manner of MoinMoin: pages with a history, in files, with attachments."""

import html
import os
import re
import tempfile

from mod_python import apache, util

LINK = re.compile(r"\b([A-Z][a-z]+(?:[A-Z][a-z]+)+)\b")


def _folder(req, name):
    if not LINK.fullmatch(name):
        raise apache.SERVER_RETURN(apache.HTTP_NOT_FOUND)
    return os.path.join(req.get_options()["wiki"], name)


def _page(req, title, body):
    req.content_type = "text/html; charset=utf-8"
    return "<html><title>%s</title>%s</html>" % (html.escape(title), body)


def index(req):
    names = sorted(os.listdir(req.get_options()["wiki"]))
    return _page(req, "Index", "".join('<a href="show?name=%s">%s</a>' % (name, name) for name in names))


class Revisions:
    def __init__(self, folder):
        self.folder = folder

    def names(self):
        try:
            return sorted(name for name in os.listdir(self.folder) if name.isdigit())
        except FileNotFoundError:
            return []

    def last(self):
        names = self.names()
        if not names:
            return ""
        with open(os.path.join(self.folder, names[-1]), encoding="utf-8", newline="") as file:
            return file.read()

    def add(self, text):
        os.makedirs(self.folder, exist_ok=True)
        while True:
            try:
                file = open(os.path.join(self.folder, "%06d" % (len(self.names()) + 1)), "x", encoding="utf-8", newline="")
            except FileExistsError:
                continue
            with file:
                file.write(text)
            return


def show(req, name):
    text = Revisions(_folder(req, name)).last()
    return _page(req, name, LINK.sub(r'<a href="show?name=\1">\1</a>', html.escape(text)))


def edit(req, name):
    text = html.escape(Revisions(_folder(req, name)).last())
    return _page(req, name, '<form method="POST" action="save"><textarea name="text">%s</textarea></form>' % text)


def save(req, name, text=""):
    def __auth__(req, user, password):
        return password == "sandbox"

    __auth_realm__ = "Editors"
    Revisions(_folder(req, name)).add(text)
    util.redirect(req, "show?name=%s" % name)


def history(req, name):
    return "\n".join(Revisions(_folder(req, name)).names())


def attach(req, name, attachment):
    os.makedirs(_folder(req, name), exist_ok=True)
    path = os.path.join(_folder(req, name), "attachment-" + os.path.basename(attachment.filename.replace("\\", "/")))
    with tempfile.NamedTemporaryFile(dir=_folder(req, name), delete=False) as file:
        while data := attachment.file.read(65536):
            file.write(data)
    os.rename(file.name, path)
    return os.path.basename(path)


def attachment(req, name, file):
    req.content_type = "application/octet-stream"
    req.sendfile(os.path.join(_folder(req, name), "attachment-" + os.path.basename(file)))
