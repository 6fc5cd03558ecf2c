"""Every address. Each app's urls.py holds full paths from the root; the order does not matter, no two overlap."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from config import health

# In the order of the layers; no two apps share an address.
PAGES = (
    "accounts",
    "notify",
    "safety",
    "video",
    "measures",
    "intake",
    "consults",
    "sessions",
    "outcomes",
    "billing",
    "coaching",
    "portal",
)
API = ("safety", "measures", "vitals", "intake", "consults", "sessions", "coaching")

pages = [path("", include(f"{app}.urls")) for app in PAGES]
pages.append(path("", include("portal.public_urls")))
if settings.BENCH:
    pages.append(path("", include("bench.urls")))

urlpatterns = [
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("api/schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("api/v1/", include([path("", include(f"{app}.api_urls")) for app in API])),
    *pages,
]

handler404 = "common.middleware.not_found"
handler403 = "common.middleware.permission_denied"
handler500 = "portal.public.server_error"
