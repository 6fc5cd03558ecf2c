"""Which moves an invoice, a payment and a refund may make, and who makes them."""

INVOICE_MOVES = {
    ("", "open"): "patient, when an intake was accepted",
    ("open", "paid"): "the payment gateway",
    ("open", "void"): "staff, or a decline",
    ("paid", "partly_refunded"): "patient or staff",
    ("paid", "refunded"): "patient, staff, or a decline",
    ("partly_refunded", "refunded"): "staff, or a decline",
}

PAYMENT_MOVES = {
    ("", "pending"): "patient",
    ("pending", "succeeded"): "the payment gateway",
    ("pending", "failed"): "the payment gateway",
    ("pending", "expired"): "the payment gateway, or the clock",
    ("failed", "succeeded"): "the payment gateway",
    ("expired", "succeeded"): "the payment gateway",
}

REFUND_MOVES = {
    ("", "pending"): "patient, staff, or a decline",
    ("pending", "succeeded"): "the payment gateway",
    ("pending", "failed"): "the payment gateway",
    ("failed", "pending"): "staff",
}
