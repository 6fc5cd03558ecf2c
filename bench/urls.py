"""Bare views on the same server, only while HEARTHSIDE_BENCH=1 and never in production: what the product is measured against."""

from django.urls import path

from bench import bare

urlpatterns = [
    path("bench/reading/", bare.insert_reading),
    path("bench/readings/", bare.list_readings),
    path("bench/queue/", bare.queue_rows),
]
