"""The pages that anyone may read. Names without a namespace: layouts link to them from everywhere."""

from django.urls import path

from portal import public

urlpatterns = [
    path("", public.home, name="home"),
    path("how-it-works/", public.how_it_works, name="how_it_works"),
    path("evidence/", public.evidence, name="evidence"),
    path("pricing/", public.pricing, name="pricing"),
    path("help/", public.help_now, name="help"),
    path("privacy/", public.privacy, name="privacy"),
    path("components/", public.components, name="components"),
]
