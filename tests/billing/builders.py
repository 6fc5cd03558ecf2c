"""Paid programmes, for tests of billing and of the apps beside and above it."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl

from accounts.models import Patient, User
from billing import actions
from billing.models import Invoice, Payment


def an_open_invoice(patient: User, at: dt.datetime) -> Invoice:
    """The invoice of an accepted intake, not paid yet."""
    return actions.open_invoice(Patient.objects.select_related("user").get(pk=patient.pk), by=patient, at=at)


def a_paid_programme(patient: User, at: dt.datetime) -> Invoice:
    """The programme paid in the sandbox; the intake must be accepted."""
    invoice = an_open_invoice(patient, at)
    payment = actions.start_payment(invoice, by=patient, at=at)
    actions.settle_in_sandbox(payment, paid=True, by=patient, at=at)
    return Invoice.objects.get(pk=invoice.pk)


def a_checkout(invoice: Invoice, patient: User, at: dt.datetime) -> Payment:
    """The provider's page of a new or waiting payment, as the button and the address it leads to make it."""
    payment = actions.start_payment(invoice, by=patient, at=at)
    return actions.open_checkout(payment, by=patient, at=at)


class Recorder:
    """A server in Stripe's place that keeps every request as it came over the wire."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.fail_with: int | None = None
        # Called while the request is being answered: what the rest of the world may do meanwhile.
        self.meanwhile: Callable[[], None] | None = None
        self.url = ""


@contextmanager
def a_recording_stripe() -> Iterator[Recorder]:
    recorder = Recorder()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            recorder.requests.append(
                {"path": self.path, "body": dict(parse_qsl(body)), "raw": body, "headers": dict(self.headers)}
            )
            if recorder.meanwhile is not None:
                recorder.meanwhile()
            key = self.headers.get("Idempotency-Key", "")
            if recorder.fail_with:
                answer, status = '{"error": {"type": "api_error", "message": "down"}}', recorder.fail_with
            elif self.path.endswith("/checkout/sessions"):
                answer = f'{{"id": "cs_test_{key[-38:]}", "object": "checkout.session", "url": "https://checkout.stripe.com/c/pay/{key}"}}'
                status = 200
            else:
                answer, status = f'{{"id": "re_{key[-12:]}", "object": "refund", "status": "succeeded"}}', 200
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    recorder.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        server.shutdown()
        thread.join()
