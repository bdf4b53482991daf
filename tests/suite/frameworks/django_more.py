# Behind what startproject writes into settings.py.
ALLOWED_HOSTS = ["localhost"]
DEBUG = False
# Beside the project: the folder that the user of httpd's children can write to.
DATABASES["default"]["NAME"] = BASE_DIR.parents[1] / "scratch/db.sqlite3"
STATIC_ROOT = BASE_DIR / "static"
ROOT_URLCONF = "site_urls"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"]},
}
