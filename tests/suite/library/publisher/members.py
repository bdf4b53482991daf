"""Who may see what: rules of the module, of objects, and within functions."""

__auth_realm__ = "Members only"


def __auth__(req, user, passwd):
    return (user, passwd) in [("eggs", "spam"), ("joe", "eoj")]


def __access__(req, user):
    return user in ["eggs", "joe"]


def index(req):
    return "members"


def sensitive(req):
    def __auth__(req, user, password):
        return user == "eggs"

    __auth_realm__ = "The kitchen"
    return "sensitive"


def listed(req):
    __auth__ = {"eggs": "spam", "joe": "eoj"}
    __access__ = ["joe"]
    return "listed"


class Account:
    __access__ = ("joe",)

    def __init__(self):
        self.balance = 7


account = Account()
