"""What is to be sent, and what must come back."""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

COMPARED = ("Content-Type", "Location")  # headers that are part of the answer


@dataclass(frozen=True)
class Request:
    """One HTTP request."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None

    def command(self, wanted: tuple[str, ...]) -> dict:
        """The request as the client takes it, with the headers that are wanted of the answer."""
        body = None if self.body is None else base64.b64encode(self.body).decode()
        headers = [list(pair) for pair in self.headers]
        return {"method": self.method, "path": self.path, "headers": headers, "body": body, "wanted": list(wanted)}


@dataclass(frozen=True)
class Expectation:
    """What an answer must be; what is not set is compared with the recorded answer."""

    status: int | None = None
    body: str | None = None
    matches: re.Pattern[str] | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def covers_body(self) -> bool:
        """Whether this says what the body is, so that none is recorded."""
        return self.body is not None or self.matches is not None


@dataclass(frozen=True)
class Step:
    """A request with what must come back. In a session it may be sent several times, and then at the same moment too."""

    unit: str  # its name, with its session's: unique in the plan
    request: Request
    expect: Expectation = Expectation()
    ignore: tuple[re.Pattern[str], ...] = ()
    times: int = 1

    def command(self) -> dict:
        """The request as the client takes it."""
        names = dict.fromkeys((*COMPARED, *(name for name, _ in self.expect.headers)))
        return self.request.command(tuple(names))


@dataclass(frozen=True)
class Session:
    """Steps in order, by one client, with its cookies."""

    name: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Plan:
    """All requests of a file."""

    path: str
    requests: tuple[Step, ...] = ()
    sessions: tuple[Session, ...] = ()
    limit: float = 10.0  # seconds that an answer may take
    session_of: dict[str, Session] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        self.session_of.update((step.unit, session) for session in self.sessions for step in session.steps)

    def steps(self) -> Iterator[Step]:
        """Every request and every step of a session, in the order of the file's kinds."""
        yield from self.requests
        for session in self.sessions:
            yield from session.steps
