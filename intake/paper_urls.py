"""Addresses of what is signed, stopped, sent in and asked of a specialist; part of intake.urls."""

from django.urls import path

from intake.views import consents, documents

urlpatterns = [
    path("intake/consent/", consents.consent, name="consent"),
    path("intake/consent/<slug:name>/", consents.sign, name="sign"),
    path("consents/<uuid:consent_id>/", consents.signed, name="signed"),
    path("consents/<uuid:consent_id>/pdf/", consents.signed_pdf, name="signed_pdf"),
    path("right-to-stop/", consents.right_to_stop, name="right_to_stop"),
    path("intake/identity/", documents.identity, name="identity"),
    path("documents/", documents.documents, name="documents"),
    path("documents/<uuid:document_id>/", documents.document, name="document"),
    path("documents/<uuid:document_id>/remove/", documents.document_remove, name="document_remove"),
    path("clearance/<uuid:clearance_id>/", documents.clearance, name="clearance"),
    path("clearance/<uuid:clearance_id>/letter/", documents.clearance_letter, name="clearance_letter"),
    path("clearance/<uuid:clearance_id>/cannot/", documents.clearance_cannot, name="clearance_cannot"),
    path("chart/<uuid:patient_id>/papers/", documents.papers, name="papers"),
]
