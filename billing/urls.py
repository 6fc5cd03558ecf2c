"""Every page of billing."""

from django.urls import path

from billing import views

app_name = "billing"
urlpatterns = [
    path("billing/", views.home, name="home"),
    path("billing/pay/", views.pay, name="pay"),
    path("billing/checkout/<uuid:payment_id>/", views.checkout, name="checkout"),
    path("billing/sandbox/<uuid:payment_id>/", views.sandbox, name="sandbox"),
    path("billing/invoices/<uuid:invoice_id>/", views.invoice, name="invoice"),
    path("billing/invoices/<uuid:invoice_id>/refund/", views.refund, name="refund"),
    path("webhooks/stripe/", views.stripe_webhook, name="stripe_webhook"),
]
