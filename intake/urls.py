"""Addresses of the assessment, the intake, the queue and the chart."""

from django.urls import path

from intake import paper_urls
from intake.views import assessment, chart, decided, one_answer, patient, queue, review, steps

app_name = "intake"
urlpatterns = [
    path("assessment/", assessment.start, name="assessment"),
    path("assessment/result/", assessment.result, name="assessment_result"),
    path("assessment/adults-only/", assessment.adults, name="assessment_adults"),
    path("assessment/clear/", assessment.clear, name="assessment_clear"),
    path("assessment/<slug:screen_id>/", assessment.screen, name="assessment_screen"),
    path("intake/", patient.task_list, name="list"),
    path("intake/begin/", patient.begin, name="begin"),
    path("intake/send/", patient.send, name="send"),
    path("intake/take-back/", patient.take_back, name="take_back"),
    path("intake/support/", patient.support, name="support"),
    path("intake/answers/", patient.answers, name="answers"),
    path("intake/medicines/", steps.medicines, name="medicines"),
    path("intake/medicines/done/", steps.medicines_done, name="medicines_done"),
    path("intake/medicines/<uuid:medicine_id>/remove/", steps.medicine_remove, name="medicine_remove"),
    path("intake/blood-pressure/", steps.blood_pressure, name="bp"),
    *paper_urls.urlpatterns,
    path("queue/", queue.queue, name="queue"),
    path("queue/next/", queue.take_next, name="take_next"),
    path("queue/states/", queue.unserved, name="unserved"),
    path("queue/<uuid:intake_id>/", queue.take, name="take"),
    path("queue/<uuid:intake_id>/give-back/", queue.give_back, name="give_back"),
    path("decisions/", decided.decisions, name="decisions"),
    path("decisions/<uuid:decision_id>/", decided.decision, name="decision"),
    path("chart/<uuid:patient_id>/", chart.chart, name="chart"),
    path("chart/<uuid:patient_id>/decide/<slug:kind>/", review.decide, name="decide"),
    path("chart/<uuid:patient_id>/settle/", review.settle, name="settle"),
    path("intake/<slug:step_id>/", patient.step, name="step"),
    path("intake/<slug:step_id>/answer/", one_answer.answer, name="answer"),
]
