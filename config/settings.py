"""One settings module. What differs between a demo, a test and production is read from the environment (docs/operations.md)."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from config.unfold import UNFOLD  # noqa: F401

BASE_DIR = Path(__file__).resolve().parent.parent


def env_flag(name: str, default: bool = False) -> bool:
    value = os.environ.get(name)
    return default if value is None else value.strip().lower() in {"1", "true", "yes", "on"}


# HEARTHSIDE_ENV: "production" turns every protection on and refuses missing secrets; "demo" is what `make up` runs.
ENVIRONMENT = os.environ.get("HEARTHSIDE_ENV", "demo")
if ENVIRONMENT not in ("production", "demo"):
    # A slip of the pen must not open the demo's doors (its key, its sandbox payments, its page of mails) to the world.
    raise RuntimeError("HEARTHSIDE_ENV is either production or demo.")
PRODUCTION = ENVIRONMENT == "production"
DEBUG = env_flag("DEBUG", False)


def secret(name: str, demo_value: str) -> str:
    value = os.environ.get(name, "")
    if value:
        return value
    if PRODUCTION:
        raise RuntimeError(f"{name} must be set in production (docs/operations.md lists every variable).")
    return demo_value


SECRET_KEY = secret("SECRET_KEY", "demo-only-not-a-secret-" + "x" * 40)
SECRET_KEY_FALLBACKS = [k for k in os.environ.get("SECRET_KEY_FALLBACKS", "").split(",") if k]
# "id:key,id:key": the first encrypts, all decrypt. Keys are urlsafe base64 of 32 bytes.
FIELD_KEYS = secret("FIELD_KEYS", "demo:ZGVtby1vbmx5LWtleS1kZW1vLW9ubHkta2V5LTAwMDA=")

SITE_URL = os.environ.get("SITE_URL", "http://127.0.0.1:8000").rstrip("/")
ALLOWED_HOSTS = [h for h in os.environ.get("ALLOWED_HOSTS", "").split(",") if h] or [
    urlsplit(SITE_URL).hostname or "127.0.0.1",
    "127.0.0.1",
    "localhost",
]
CSRF_TRUSTED_ORIGINS = [SITE_URL]

HEARTHSIDE_APPS = [
    "common",
    "accounts",
    "notify",
    "safety",
    "measures",
    "vitals",
    "video",
    "intake",
    "consults",
    "sessions",
    "outcomes",
    "billing",
    "coaching",
    "portal",
]
APP_CONFIGS = {"sessions": "sessions.apps.SessionsConfig"}

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "config.admin.HearthsideAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "rest_framework",
    "drf_spectacular",
    "django_celery_beat",
    "django_htmx",
    "csp",
    "pgtrigger",
    "pghistory",
    *[APP_CONFIGS.get(a, a) for a in HEARTHSIDE_APPS],
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "common.middleware.ResponseHeaders",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "accounts.middleware.SessionLimits",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.middleware.StaffSecondFactor",
    "django_htmx.middleware.HtmxMiddleware",
    "accounts.middleware.DomainErrors",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "environment": "config.jinja2.environment",
            "context_processors": ["config.context.page_context"],
        },
    },
    {
        # allauth, the admin and e-mail defaults bring Django templates of their own.
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates_django"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.context.page_context",
            ]
        },
    },
]


def database_from_url(url: str) -> dict:
    """`postgres://user:password@host:port/name` or `postgres:///name?host=/socket/dir`, as Django wants it."""
    parts = urlsplit(url)
    query = dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
    options = {
        "connect_timeout": 3,
        # A stuck statement must never hold a dose, a page or a lock for longer than a person would wait.
        "options": "-c statement_timeout=15000 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=30000",
    }
    if "sslmode" in query:
        options["sslmode"] = query["sslmode"]
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "hearthside",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(query.get("host", parts.hostname or "")),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
        "TEST": {"NAME": os.environ.get("TEST_DATABASE_NAME") or None},
    }


DATABASES = {
    "default": database_from_url(
        os.environ.get("DATABASE_URL", "postgres://hearthside@127.0.0.1:5432/hearthside")
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    # What stands in it is the log-in library's: tries that failed, and codes that were used. They must count on all hosts, outlive
    # Redis, and never be thrown away for want of room. Nothing else here is cached.
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "common_cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}


def with_certificate_looked_at(url: str) -> str:
    """`rediss://` alone is encrypted, and Celery would not look whose certificate it is."""
    if not url.startswith("rediss://") or "ssl_cert_reqs=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}ssl_cert_reqs=required"


# Broker and WebSocket messages, and nothing that evicts: it may be lost, but not in silence and in part.
REDIS_URL = with_certificate_looked_at(os.environ.get("REDIS_URL", ""))
CHANNEL_LAYERS = {
    "default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}
    if REDIS_URL
    else {"BACKEND": "channels.layers.InMemoryChannelLayer"},
}

# --- the ordinary lane: Celery carries ticks and heavy work, never a promise; what is due are rows in PostgreSQL ---
CELERY_BROKER_URL = REDIS_URL or "filesystem://"
if REDIS_URL:
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object] = {
        # After this a task that nobody finished is given to another worker. Longer than the hard limit below, so that none runs
        # in two places; short, because a killed worker's task waits this long. The shortest of all apps on one broker wins.
        "visibility_timeout": 300,
        # A Redis that takes packets and answers none is noticed within half a minute …
        "socket_timeout": 30,
        # … also while the line is idle: the kernel asks, and the client asks by itself before the timeout.
        "socket_keepalive": True,
        "health_check_interval": 25,
        # One lost connection is no lost tick.
        "retry_on_timeout": True,
        # Queues are emptied in the order in which a worker names them: `default` before `bulk`.
        "queue_order_strategy": "priority",
    }
else:
    _spool = BASE_DIR / "var" / "celery"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_spool),
        "data_folder_out": str(_spool),
        "control_folder": str(_spool / "control"),
    }
# Two lanes. `default`: ticks that send and notice, a second each. `bulk`: what may wait behind them (sweeps of plans and
# payments, exports). The production shape gives each workers of its own, so that a long export never holds up a reminder.
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_CREATE_MISSING_QUEUES = True
CELERY_TASK_ROUTES = {
    "billing.tasks.*": {"queue": "bulk"},
    "coaching.tasks.*": {"queue": "bulk"},
    "outcomes.tasks.*": {"queue": "bulk"},
    "common.tasks.*": {"queue": "bulk"},
    "portal.tasks.*": {"queue": "bulk"},
}
# Each worker also has a queue of its own, on which its watchdog asks it for a sign of life (notify/watchdog.py).
CELERY_WORKER_DIRECT = True
# Well under the visibility timeout; the soft one lets a task put its work down and say so.
CELERY_TASK_TIME_LIMIT = 120
CELERY_TASK_SOFT_TIME_LIMIT = 100
# A task is done when it has ended, not when it was taken: a killed worker's task runs again …
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
# … and one that kills each worker would do so for ever; notify/poison.py counts its beginnings and ends that.
# Nobody takes more than they work on, so a waiting task is free for whoever is.
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# A deployment lets the task in hand finish, also when it is the only one; the demo's Ctrl-C is answered at once.
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 3 if not PRODUCTION else 30
CELERY_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE = True
# Workers may start before Redis does.
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Without the connection a task cannot be acknowledged and would run a second time elsewhere: it stops here.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
# What leaks a little is begun anew before it matters.
CELERY_WORKER_MAX_TASKS_PER_CHILD = 500
# Nothing is scheduled by a wall clock; people's zones are applied to rows, not to ticks.
CELERY_TIMEZONE = "UTC"
# No code comes out of the broker, and no result goes into it: Redis holds nothing about people.
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
# The schedule lies in PostgreSQL. A second beat doubles ticks, which is harmless (each claims its rows); without any, the
# workers' watchdog keeps messages going and the pager tells a person (notify/watchdog.py, docs/operations.md).
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
# Ticks that nobody took are worth nothing by the time the next one is due: `expires` keeps a stopped worker from a flood of them.
CELERY_BEAT_SCHEDULE: dict = {
    "notify-dispatch": {"task": "notify.tasks.dispatch_due", "schedule": 10.0, "options": {"expires": 60}},
    "sessions-overdue": {
        "task": "sessions.tasks.sweep_overdue",
        "schedule": 30.0,
        "options": {"expires": 90},
    },
    "consults-holds": {"task": "consults.tasks.release_holds", "schedule": 60.0, "options": {"expires": 120}},
    "consults-visits": {"task": "consults.tasks.close_visits", "schedule": 60.0, "options": {"expires": 120}},
    "consults-parcels": {
        "task": "consults.tasks.sweep_parcels",
        "schedule": 900.0,
        "options": {"expires": 900},
    },
    "billing-sweep": {"task": "billing.tasks.sweep", "schedule": 30.0, "options": {"expires": 90}},
    "safety-coverage": {
        "task": "safety.tasks.check_coverage",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    # Once a day to a person, whatever the tick: the message's key is the person and their own day.
    "safety-digests": {"task": "safety.tasks.digests", "schedule": 900.0, "options": {"expires": 900}},
    "coaching-sweep": {"task": "coaching.tasks.sweep", "schedule": 600.0, "options": {"expires": 600}},
    # The question of the month: once each month to each person, whatever the tick.
    "outcomes-sweep": {"task": "outcomes.tasks.sweep", "schedule": 3600.0, "options": {"expires": 3600}},
    "intake-dry-runs": {"task": "intake.tasks.dry_runs", "schedule": 15.0, "options": {"expires": 60}},
    "intake-signatures": {
        "task": "intake.tasks.ask_for_new_signatures",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "intake-states": {"task": "intake.tasks.unserved_states", "schedule": 900.0, "options": {"expires": 900}},
    "common-sweep": {"task": "common.tasks.sweep", "schedule": 3600.0, "options": {"expires": 3600}},
}

# --- intents: how long the answer of an API write is kept for its replay, and how long the number itself is known ---
INTENT_ANSWERS_KEPT_HOURS = int(os.environ.get("INTENT_ANSWERS_KEPT_HOURS", "") or "24")
INTENTS_KEPT_DAYS = int(os.environ.get("INTENTS_KEPT_DAYS", "") or "90")

# --- people ---
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_RESET_TIMEOUT = 3600
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/home/"
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
# Our letters name the practice themselves; the default would put the host's name before each subject.
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
# No "remember me": the devices are phones that others hold too, and the sessions end by themselves.
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_RATE_LIMITS = {"login_failed": "10/15m/ip,10/15m/key", "reauthenticate": "10/15m/user"}
# Behind the proxy everybody would have the proxy's address, and ten failures of one stranger would shut out all.
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if env_flag("BEHIND_PROXY") else 0
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = "Hearthside"
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not PRODUCTION
MFA_ADAPTER = "accounts.adapter.MfaAdapter"

STAFF_IDLE_MINUTES = 15
PATIENT_IDLE_MINUTES = 30
SESSION_ABSOLUTE_HOURS = 12
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
# `__Host-` needs https, which the demo on 127.0.0.1 has not.
SESSION_COOKIE_NAME = "__Host-sid" if PRODUCTION else "sid"
CSRF_COOKIE_NAME = "__Host-csrf" if PRODUCTION else "csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
CSRF_COOKIE_HTTPONLY = True

# --- the wire ---
SECURE_SSL_REDIRECT = PRODUCTION and env_flag("SECURE_SSL_REDIRECT", True)
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env_flag("BEHIND_PROXY") else None
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = PRODUCTION
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "EXCLUDE_URL_PREFIXES": ["/admin/"],
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'", "https://checkout.stripe.com"],
        "frame-ancestors": ["'none'"],
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
DATA_UPLOAD_MAX_NUMBER_FIELDS = 500
DATA_UPLOAD_MAX_NUMBER_FILES = 10
# Never a temporary file on disk with somebody's document in it.
FILE_UPLOAD_HANDLERS = ["common.files.MemoryOnly"]

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = Path(os.environ.get("STATIC_ROOT", BASE_DIR / "var" / "static"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if env_flag("STATIC_MANIFEST", PRODUCTION)
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not env_flag("STATIC_MANIFEST", PRODUCTION)
WHITENOISE_AUTOREFRESH = False

LANGUAGE_CODE = "en-us"
FORMAT_MODULE_PATH = ["config.formats"]
USE_TZ = True
TIME_ZONE = "UTC"

# --- API ---
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.DeviceTokenAuthentication",
        "accounts.authentication.BrowserSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["accounts.permissions.RoleDeclared"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "common.api.NewestFirst",
    "PAGE_SIZE": 50,
    "EXCEPTION_HANDLER": "common.api.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Hearthside API",
    "DESCRIPTION": "The same actions as the pages, with the same permissions.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    # Two fields called "kind" mean different things; each has a name of its own.
    "ENUM_NAME_OVERRIDES": {
        "CheckInKind": "coaching.models.CHECK_IN_KINDS",
        "DecisionKind": "intake.models.DECISION_KINDS",
    },
    "SERVE_PERMISSIONS": ["accounts.permissions.SchemaReaders"],
}

# --- vendors: with no keys the sandbox adapters serve ---
# How many copies of `manage.py pager` should run; with fewer the administrators' work list says so. One on a developer's machine.
PAGER_COPIES = int(os.environ.get("PAGER_COPIES") or "1")
EMAIL_URL = os.environ.get("EMAIL_URL", "")
TWILIO_ACCOUNT_SID = os.environ.get("TWILIO_ACCOUNT_SID", "")
TWILIO_AUTH_TOKEN = os.environ.get("TWILIO_AUTH_TOKEN", "")
TWILIO_API_KEY = os.environ.get("TWILIO_API_KEY", "")
TWILIO_API_SECRET = os.environ.get("TWILIO_API_SECRET", "")
TWILIO_FROM = os.environ.get("TWILIO_FROM", "")
TWILIO_API_BASE = os.environ.get("TWILIO_API_BASE", "")
STRIPE_SECRET_KEY = os.environ.get("STRIPE_SECRET_KEY", "")
STRIPE_WEBHOOK_SECRET = os.environ.get("STRIPE_WEBHOOK_SECRET", "")
STRIPE_API_BASE = os.environ.get("STRIPE_API_BASE", "")
# Notices on a device (Web Push): `manage.py push_keys` prints a pair. Without them the sandbox takes what would go.
VAPID_PRIVATE_KEY = os.environ.get("VAPID_PRIVATE_KEY", "")
VAPID_PUBLIC_KEY = os.environ.get("VAPID_PUBLIC_KEY", "")
VAPID_SUBJECT = os.environ.get("VAPID_SUBJECT", "") or SITE_URL.replace("http://", "https://")
# Hosts (with port) that stand in a push service's place, for tests; never believed in production.
PUSH_TEST_HOSTS = [h for h in os.environ.get("PUSH_TEST_HOSTS", "").split(",") if h]
TURN_URLS = [u for u in os.environ.get("TURN_URLS", "").split(",") if u]
TURN_SECRET = os.environ.get("TURN_SECRET", "")
# "peer" keeps visits browser to browser although Twilio's keys are set.
VIDEO_VENDOR = os.environ.get("VIDEO_VENDOR", "")
# Send pictures and sound through the relay alone, so that nobody's browser learns the other's address.
VIDEO_RELAY_ONLY = env_flag("VIDEO_RELAY_ONLY", False)
# WebSockets have a process of their own. Behind the proxy it stands under the site's own address; without one, on a port.
WS_PORT = "" if PRODUCTION else os.environ.get("WS_PORT", "")
# Every e-mail leaves through the outbox; this backend writes there (notify/mail.py).
EMAIL_BACKEND = "notify.mail.OutboxBackend"
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL", "Hearthside <care@hearthside.example>")

# --- the practice ---
PRACTICE = {
    "name": os.environ.get("PRACTICE_NAME", "Hearthside"),
    "phone": os.environ.get("PRACTICE_PHONE", "(555) 010-0199"),
    "phone_e164": os.environ.get("PRACTICE_PHONE_E164", "+15550100199"),
    # A prescription carries where its prescriber practises (21 CFR 1306.05).
    "address": os.environ.get("PRACTICE_ADDRESS", "1 Example Street, Oakland, CA 94601"),
    "on_call_hours_text": "A clinician is on call day and night.",
    # The practice's own calendar: its holidays are days there, and the roster is shown in it.
    "time_zone": os.environ.get("PRACTICE_TIME_ZONE", "America/New_York"),
}
# How orders leave for the pharmacy (consults/gateways/pharmacy.py). The sandbox makes up a pharmacy's answers, so it serves a
# demo; a practice that has connected nothing hands its orders over by hand. consults/checks.py refuses a name that is none.
PHARMACY_GATEWAY = os.environ.get("PHARMACY_GATEWAY", "") or ("by_hand" if PRODUCTION else "sandbox")
# The telemedicine flexibility for Schedule II-V (90 FR 61301) ends on this day unless extended.
TELEMEDICINE_FLEXIBILITY_ENDS_ON = os.environ.get("TELEMEDICINE_FLEXIBILITY_ENDS_ON", "") or "2026-12-31"
PTSD_PATHWAY = env_flag("PTSD_PATHWAY", False)

# `manage.py clock --advance` works only with this on, and never in production.
TEST_CLOCK = env_flag("HEARTHSIDE_TEST_CLOCK", False) and not PRODUCTION
TEST_CLOCK_FILE = Path(os.environ.get("HEARTHSIDE_TEST_CLOCK_FILE", BASE_DIR / "var" / "test-clock"))

# How long a process believes what it last saw of the crisis lane, for the banner on the staff's pages.
LANE_LOOK_SECONDS = 2.0

# The bare views that `make bench` measures against; never in production.
BENCH = env_flag("HEARTHSIDE_BENCH", False) and not PRODUCTION
NOTIFY_SINK = BENCH

PGHISTORY_INSTALL_CONTEXT_FUNC_ON_MIGRATE = True

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"lines": {"()": "common.logs.AllowListFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "lines"}},
    "root": {"handlers": ["console"], "level": os.environ.get("LOG_LEVEL", "INFO")},
    "loggers": {
        # Paths only, never query strings or bodies.
        "django.request": {"handlers": ["console"], "level": "ERROR", "propagate": False},
        "django.server": {"handlers": ["console"], "level": "WARNING", "propagate": False},
        # The vendors' own clients name what they ask about: numbers, addresses, keys of records. Whatever LOG_LEVEL says.
        **{
            name: {"level": "WARNING"}
            for name in ("twilio", "twilio.http_client", "stripe", "urllib3", "botocore")
        },
    },
}
