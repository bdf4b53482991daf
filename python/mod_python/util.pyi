"""Forms and redirects; the parsers work outside httpd too."""

from _typeshed import SupportsRead
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, Final, NoReturn, Protocol, TypeVar, overload, type_check_only

from _apache import mp_request, mp_table
from _apache import parse_qs as parse_qs
from _apache import parse_qsl as parse_qsl

_T = TypeVar("_T")

readBlockSize: Final = 65368

@type_check_only
class _File(Protocol):
    """What a callback makes for a field: Python's files, and anything that has these."""

    def write(self, data: bytes, /) -> object: ...
    def seek(self, offset: int, /) -> object: ...
    def read(self) -> bytes: ...

class Field:
    name: str
    filename: str | None
    # What file_callback made, else a temporary file; None in a Field made without one
    file: Any
    type: str
    type_options: dict[str, str]
    disposition: str | None
    disposition_options: dict[str, str]
    headers: mp_table
    def __init__(
        self,
        name: str,
        file: SupportsRead[bytes] | None = None,
        ctype: str = "text/plain",
        type_options: dict[str, str] | None = None,
        disp: str | None = None,
        disp_options: dict[str, str] | None = None,
        headers: Any = None,
    ) -> None: ...
    @property
    def value(self) -> bytes: ...

class StringField(str):
    name: str
    filename: None
    type: str
    type_options: dict[str, str]
    disposition: str | None
    disposition_options: dict[str, str]
    headers: mp_table
    file: IO[bytes]
    def __new__(cls, value: str | bytes = "") -> StringField: ...
    @property
    def value(self) -> str: ...
    def __bytes__(self) -> bytes: ...
    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str: ...

# A Field or a StringField, as the form has it
_Field = Any

class FieldList(list[_Field]):
    def table(self) -> dict[str, list[_Field]]: ...

class FieldStorage:
    def __init__(
        self,
        req: mp_request,
        keep_blank_values: int = 0,
        strict_parsing: int = 0,
        file_callback: Callable[[str], _File] | None = None,
        field_callback: Callable[[], _File] | None = None,
    ) -> None: ...
    @property
    def list(self) -> FieldList: ...
    @list.setter
    def list(self, fields: Iterable[_Field]) -> None: ...
    def add_field(self, key: str | bytes, value: str | bytes) -> None: ...
    def clear(self) -> None: ...
    # The field, or a list if there are several
    def __getitem__(self, key: str | bytes) -> _Field: ...
    def __setitem__(self, key: str | bytes, value: str | bytes) -> None: ...
    def __delitem__(self, key: str | bytes) -> None: ...
    def __contains__(self, key: str | bytes) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
    @overload
    def get(self, key: str | bytes, default: None = None) -> _Field | None: ...
    @overload
    def get(self, key: str | bytes, default: _T) -> _Field | _T: ...
    @overload
    def getfirst(self, key: str | bytes, default: None = None) -> _Field | None: ...
    @overload
    def getfirst(self, key: str | bytes, default: _T) -> _Field | _T: ...
    def getlist(self, key: str | bytes) -> _Fields: ...
    def has_key(self, key: str | bytes) -> bool: ...
    def items(self) -> _Items: ...
    def keys(self) -> _Names: ...

# FieldStorage.list hides the builtin in that class
_Fields = list[_Field]
_Items = list[tuple[str, _Field]]
_Names = list[str]

def apply_fs_data(object: Callable[..., _T], fs: FieldStorage, **args: Any) -> _T: ...
@overload
def parse_header(line: str) -> tuple[str, dict[str, str]]: ...
@overload
def parse_header(line: bytes) -> tuple[bytes, dict[bytes, str]]: ...
def redirect(req: mp_request, location: str, permanent: int = 0, text: str | None = None) -> NoReturn: ...
