"""The handler for a WSGI application as mod_python had it: PythonHandler mod_python.wsgi.

``PythonOption mod_python.wsgi.application module[::callable]`` names the application, the callable is ``application`` unless it is
named; ``PythonOption mod_python.wsgi.base_uri /path`` is its SCRIPT_NAME, else that of the enclosing <Location> is.
The directive PythonApplication serves an application without a handler.
"""

from . import apache
from ._importing import load

OPTION = "mod_python.wsgi.application"


def handler(req):
    """Call the application for a request and send its response."""
    name = req.get_options().get(OPTION)
    if not name:
        req.log_error(
            f"MP0428: PythonHandler mod_python.wsgi finds no application: write 'PythonOption {OPTION} module::callable' beside it",
            apache.APLOG_WARNING,
        )
        return apache.DECLINED
    module_name, _, callable_name = name.partition("::")
    config = req.get_config()
    is_debugged = int(config.get("PythonDebug", 0))
    module = load(module_name, int(config.get("PythonAutoReload", 1)), is_debugged, shows=is_debugged)
    application = module
    try:
        for part in (callable_name or "application").split("."):
            application = getattr(application, part)
    except AttributeError as error:
        req.log_error(f"MP0428: PythonOption {OPTION} '{name}' names no application: {error}", apache.APLOG_WARNING)
        return apache.DECLINED
    if not req._run_wsgi(application):
        req.log_error(
            f"MP0429: {req.uri!r} is not below the PythonOption mod_python.wsgi.base_uri of application '{name}'", apache.APLOG_WARNING
        )
        return apache.DECLINED
    return apache.OK
