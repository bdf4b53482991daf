"""The rules that findings refer to; each is a section of docs/portable-handlers.md."""

from dataclasses import dataclass

PAGE = "docs/portable-handlers.md"


@dataclass(frozen=True)
class Rule:
    """A rule for portable handlers: the anchor of its section, and what it says."""

    anchor: str
    sentence: str


GLOBALS = Rule("globals", "A global belongs to one interpreter of one child.")
THREADS = Rule("threads", "Several requests may be served at once.")
CHILDREN = Rule("children", "Children come and go.")
INTERPRETERS = Rule("interpreters", "A handler may run in any interpreter, with either GIL.")
FORK = Rule("fork", "A handler does not fork.")
DIRECTORY = Rule("current-directory", "The current directory is not the application's.")
SETTINGS = Rule("process-settings", "Umask, locale, time zone and limits belong to the whole process.")
ENVIRONMENT = Rule("environment", "The environment belongs to the whole process.")
SIGNALS = Rule("signals", "Signals are httpd's.")
VERSIONS = Rule("versions", "The application runs on each system and each Python that it is to be served by.")
MODELS = Rule("process-models", "The process model makes no difference.")
VARYING = Rule("varying-answers", "The same request has the same answer.")
FAILURES = Rule("failures", "Every request is answered.")
EXPECTATIONS = Rule("expectations", "The answer is the expected one.")

ALL = (
    GLOBALS,
    THREADS,
    CHILDREN,
    INTERPRETERS,
    FORK,
    DIRECTORY,
    SETTINGS,
    ENVIRONMENT,
    SIGNALS,
    VERSIONS,
    MODELS,
    VARYING,
    FAILURES,
    EXPECTATIONS,
)
BY_ANCHOR = {rule.anchor: rule for rule in ALL}

# What the watch notes, by the rule that it is evidence for.
OF_EVENT = {
    "fork": FORK,
    "chdir": DIRECTORY,
    "relative": DIRECTORY,
    "environment": ENVIRONMENT,
    "system": ENVIRONMENT,
    "signal": SIGNALS,
    "umask": SETTINGS,
    "timezone": SETTINGS,
    "locale": SETTINGS,
    "limit": SETTINGS,
}
# Wrong whatever the answers are.
FAULTS = frozenset({"fork", "chdir"})
