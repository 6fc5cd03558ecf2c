from django.urls import path

from measures.api import QuestionnaireResponses

urlpatterns = [
    path("questionnaire-responses/", QuestionnaireResponses.as_view(), name="api_questionnaire_responses")
]
