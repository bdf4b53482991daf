from typing import Final

version: Final[str]
HTTPD: Final[str]
HTTPD_VERSION: Final[str]
APR_VERSION: Final[str]
LIBEXECDIR: Final[str]
SYSCONFDIR: Final[str]
PYTHON_BIN: Final[str]
