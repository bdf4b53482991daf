"""Planted: a module that cannot be imported."""

import a_package_that_is_not_there


def handler(req):
    return a_package_that_is_not_there.answer(req)
