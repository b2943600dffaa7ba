"""Django settings. Everything that differs between machines comes from the environment.

``DATABASE_URL``          the bank's PostgreSQL; the commands start a private one when it is absent
``SHOUXIN_SECRET_KEY``    signing key; required unless the demo made one
``SHOUXIN_ENVIRONMENT``   production (default), demo or test
``SHOUXIN_ALLOWED_HOSTS`` comma separated host names; 127.0.0.1 and localhost by default
``SHOUXIN_INSTITUTION``   the policy overlay of this bank, by file name
"""

import os
from pathlib import Path

import django_stubs_ext
from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict

django_stubs_ext.monkeypatch()

PACKAGE_DIR = Path(__file__).resolve().parent
ENVIRONMENT = os.environ.get("SHOUXIN_ENVIRONMENT", "production")
IS_DEMO = ENVIRONMENT == "demo"
IS_PRODUCTION = ENVIRONMENT == "production"


# Short queries on solid disks: compiling a plan costs more than running it, a random page hardly more than the next.
_PLANNER = "-c jit=off -c random_page_cost=1.1"


def _database() -> dict[str, object]:
    url = os.environ.get("DATABASE_URL", "")
    parts = conninfo_to_dict(url) if url else {}
    known = {"dbname", "user", "password", "host", "port"}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.get("dbname", "shouxin"),
        "USER": parts.get("user", ""),
        "PASSWORD": parts.get("password", ""),
        "HOST": parts.get("host", ""),
        "PORT": str(parts.get("port", "")),
        "OPTIONS": {"options": _PLANNER} | {name: value for name, value in parts.items() if name not in known},
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
    }


SECRET_KEY = os.environ.get("SHOUXIN_SECRET_KEY", "")
if not SECRET_KEY:
    if os.environ.get("SHOUXIN_SERVING") == "1":
        raise ImproperlyConfigured("Set SHOUXIN_SECRET_KEY to a long random text before serving.")
    SECRET_KEY = "only-for-commands-that-sign-nothing-" + "x" * 30
DEBUG = False
ALLOWED_HOSTS = [
    name.strip() for name in os.environ.get("SHOUXIN_ALLOWED_HOSTS", "127.0.0.1,localhost").split(",") if name.strip()
]
CSRF_TRUSTED_ORIGINS = [o for o in os.environ.get("SHOUXIN_TRUSTED_ORIGINS", "").split(",") if o]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "django_htmx",
    "axes",
    "csp",
    "ninja",
    "procrastinate.contrib.django",
    "shouxin.jobs",
    "shouxin.audit",
    "shouxin.bank",
    "shouxin.rulebook",
    "shouxin.approvals",
    "shouxin.parties",
    "shouxin.groups",
    "shouxin.limits",
    "shouxin.facilities",
    "shouxin.payroll_groups",
    "shouxin.engagement",
    "shouxin.monitoring",
    "shouxin.reporting",
    "shouxin.web",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "shouxin.web.plain_text.RefuseNulMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "shouxin.web.language.ChineseFirstMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "shouxin.web.form_only.FormOnlyMiddleware",
    "axes.middleware.AxesMiddleware",
]

# Calls of the API have no session, no person at a browser and no page: see shouxin.web.lean.
API_MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "shouxin.web.plain_text.RefuseNulMiddleware",
    "shouxin.web.language.ChineseFirstMiddleware",
    "django.middleware.common.CommonMiddleware",
]

ROOT_URLCONF = "shouxin.web.urls"
WSGI_APPLICATION = "shouxin.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "shouxin.web.context.navigation",
            ],
        },
    }
]

# How reservations that stand alone reach the ledger: at once by the function on one group, and from how many waiting
# on they are written in batches.
SHOUXIN_RESERVE_AT_ONCE = int(os.environ.get("SHOUXIN_RESERVE_AT_ONCE", "2"))
SHOUXIN_BATCH_FROM = int(os.environ.get("SHOUXIN_BATCH_FROM", "8"))
# For how long a process believes what it last read about a key, its view and a contract; a revoked key works no longer.
SHOUXIN_API_MEMORY_SECONDS = float(os.environ.get("SHOUXIN_API_MEMORY_SECONDS", "0" if ENVIRONMENT == "test" else "3"))
# For how long a process believes the numbers beside the navigation and the choices around the list.
SHOUXIN_PAGE_MEMORY_SECONDS = float(
    os.environ.get("SHOUXIN_PAGE_MEMORY_SECONDS", "0" if ENVIRONMENT == "test" else "10")
)

# Background jobs live in tasks.py of each room.
PROCRASTINATE_WORKER_DEFAULTS = {"update_heartbeat_interval": 30.0}

DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- people -----------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "bank.Staff"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "shouxin.bank.backends.StaffBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "workbench"
LOGOUT_REDIRECT_URL = "sign_in"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_TEMPLATE = "lockout.html"
AXES_RESET_ON_SUCCESS = True
AXES_ENABLE_ADMIN = False
SESSION_COOKIE_AGE = 8 * 3600
SESSION_EXPIRE_AT_BROWSER_CLOSE = True

# --- what a browser may do ----------------------------------------------------------------------------------------
_IS_PLAIN_HTTP = not IS_PRODUCTION
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not _IS_PLAIN_HTTP
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if IS_PRODUCTION else None
SECURE_SSL_REDIRECT = IS_PRODUCTION
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_HSTS_SECONDS = 31_536_000 if IS_PRODUCTION else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        # Charts and the ownership graph set sizes on their own elements.
        "style-src": [SELF, "'unsafe-inline'"],
        "img-src": [SELF, "data:", "blob:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# --- language, time, files ----------------------------------------------------------------------------------------
LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "中文"), ("en", "English")]
LOCALE_PATHS = [PACKAGE_DIR / "web" / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = os.environ.get("SHOUXIN_TIME_ZONE", "Asia/Shanghai")
STATIC_URL = "/static/"
STATIC_ROOT = Path(os.environ.get("SHOUXIN_STATIC_ROOT", Path.cwd() / ".shouxin" / "static")) if IS_PRODUCTION else None
WHITENOISE_USE_FINDERS = not IS_PRODUCTION
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "whitenoise.storage.CompressedManifestStaticFilesStorage"
            if IS_PRODUCTION
            else "django.contrib.staticfiles.storage.StaticFilesStorage"
        )
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
SILENCED_SYSTEM_CHECKS: list[str] = []

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": os.environ.get("SHOUXIN_LOG_LEVEL", "WARNING")},
}
