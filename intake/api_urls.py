from django.urls import path

from intake.api import Assessment, Claim, Decide, Intakes

urlpatterns = [
    path("assessment/", Assessment.as_view(), name="api_assessment"),
    path("intakes/", Intakes.as_view(), name="api_intakes"),
    path("intakes/<uuid:intake_id>/claim/", Claim.as_view(), name="api_intake_claim"),
    path("intakes/<uuid:intake_id>/decide/", Decide.as_view(), name="api_intake_decide"),
]
