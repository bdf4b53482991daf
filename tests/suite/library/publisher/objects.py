"""Objects within objects."""

import os


class Food:
    def __init__(self, name, *ingredients):
        self.name, self.ingredients = name, ingredients
        self._price = 5

    def taste(self, req, with_="nothing"):
        return "%s with %s" % (self.name, with_)

    def __str__(self):
        return "%s of %s" % (self.name, ", ".join(self.ingredients))


class Menu:
    def __init__(self):
        self.breakfast = Food("omelette", "eggs", "spam")
        self.lunch = Food("soup", "water")

    def __call__(self, req):
        return "the menu"


menu = Menu()
count = 3
nothing = None
made = (number for number in range(3))
_secret = "secret"
