"""Loaded last: takes out what libraries register. The schedule is written in code, addresses and second factors are their owners’."""

from django.conf import settings
from django.contrib import admin

for model in list(admin.site._registry):
    if model._meta.app_config.name not in settings.HEARTHSIDE_APPS:
        admin.site.unregister(model)
