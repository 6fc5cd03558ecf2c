"""The signed order as PDF, from what was kept at its signature: the same bytes whenever it is asked for."""

from datetime import UTC

from consults.models import Order

NOT_SENT_BY_US = (
    "Hearthside does not sign or send prescriptions for controlled medicines itself. This is the order as it was signed in the chart; "
    "it goes to the pharmacy through a certified e-prescribing system or as the law of the state allows, and is not a valid "
    "prescription on its own."
)


def order_pdf(order: Order) -> bytes:
    """What 21 CFR 1306.05 asks of a prescription, with how to take it and the sessions it is for."""
    from common.pdf import Paper  # half a second that most processes never need

    facts = order.signed_facts or {}
    assert order.signed_at is not None
    assert order.expires_on is not None
    paper = Paper(
        title="Order",
        author=facts.get("practice_name", ""),
        made_at=order.signed_at,
        foot=f"Order {order.pk}, signed {facts.get('signed_on', '')}. {facts.get('practice_name', '')}, {facts.get('practice_phone', '')}",
    )
    paper.heading("Order")
    if not order.is_in_force:
        paper.paragraph(
            "NOT IN FORCE: " + ("revoked." if order.revoked_at else "superseded by a newer order.")
        )
    paper.heading("Patient", level=2)
    paper.facts(
        [
            ("Name", facts.get("patient_name", "")),
            ("Born", facts.get("patient_born_on", "")),
            ("Address", facts.get("patient_address", "")),
            ("State of care", order.state_of_care),
        ]
    )
    paper.heading("Medicine", level=2)
    paper.facts(
        [
            ("Drug", "Ketamine hydrochloride, compounded for this patient (Schedule III)"),
            ("Form", order.get_form_display()),
            ("Strength", order.strength_words),
            ("One dose", order.dose_words),
            ("Quantity", f"{order.quantity_words}. No refills."),
            ("Directions", order.directions),
            (
                "Sessions",
                ", ".join(f"{n} on {order.session_dates[n - 1].isoformat()}" for n in order.sessions_covered),
            ),
            (
                "Blood pressure",
                f"a dose needs less than {order.systolic_max_mmhg}/{order.diastolic_max_mmhg} mmHg",
            ),
            ("In force until", order.expires_on.isoformat()),
            *(
                [("Replaces", f"the order signed on {before}: do not fill that one")]
                if order.supersedes is not None
                and (before := (order.supersedes.signed_facts or {}).get("signed_on"))
                else []
            ),
        ]
    )
    if order.holds:
        paper.heading("Other medicines on session days", level=2)
        for hold in order.holds:
            paper.paragraph(f"{hold['medicine']}: {hold['instruction']}", mark="•")
    paper.keep_together(70)
    paper.heading("Prescriber", level=2)
    paper.facts(
        [
            ("Name", facts.get("prescriber_name", "")),
            ("Address", f"{facts.get('practice_name', '')}, {facts.get('practice_address', '')}"),
            ("Phone", facts.get("practice_phone", "")),
            ("DEA registration", facts.get("dea_number", "")),
            ("Licence", facts.get("licence_number", "")),
            ("Authority", order.get_authority_basis_display()),
            ("Date signed", facts.get("signed_on", "")),
            ("Signed at", f"{order.signed_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"),
            ("Number of this order", str(order.pk)),
        ]
    )
    paper.paragraph(NOT_SENT_BY_US)
    return paper.data()
