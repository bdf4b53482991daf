"""Something to import."""


def function():
    return "called"


class Page:
    def __init__(self, argument):
        self.argument = argument

    def show(self, *more):
        return "shown"


instance = Page(None)
