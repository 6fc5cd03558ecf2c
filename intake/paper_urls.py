"""Addresses of what is signed, stopped, sent in and asked of a specialist; part of intake.urls."""

from django.urls import path

from intake.views import consents

urlpatterns = [
    path("intake/consent/", consents.consent, name="consent"),
    path("intake/consent/<slug:name>/", consents.sign, name="sign"),
    path("consents/<uuid:consent_id>/", consents.signed, name="signed"),
    path("consents/<uuid:consent_id>/pdf/", consents.signed_pdf, name="signed_pdf"),
    path("right-to-stop/", consents.right_to_stop, name="right_to_stop"),
]
