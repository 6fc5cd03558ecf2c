"""Papers of the intake as PDF: what was signed, made anew each time from the stored text."""

from datetime import UTC

from django.conf import settings

from intake.models import ClearanceRequest, Consent
from intake.rules.documents import blocks_of, read_document


def consent_pdf(signature: Consent) -> bytes:
    """One signed text with its signature, from the stored words alone: the same bytes whenever it is asked for."""
    from common.pdf import Paper, undrawable  # half a second that most processes never need

    text = read_document(signature.text.body)
    foot = f"{text.title}, version {text.version}\nsha256 {signature.sha256}"
    paper = Paper(title=text.title, author=settings.PRACTICE["name"], made_at=signature.signed_at, foot=foot)
    ticked = set(signature.acknowledged)
    for block in blocks_of(signature.text.body):
        if block.kind in ("h1", "h2"):
            paper.heading(block.text, level=int(block.kind[1]))
        elif block.kind == "ul":
            for item in block.items:
                paper.paragraph(item, mark="•")
        elif block.kind == "tick":
            paper.paragraph(block.items[0], mark="☑" if block.code in ticked else "☐")
        else:
            paper.paragraph(block.items[0])
    paper.keep_together(80)
    paper.rule()
    paper.heading("Signature", level=2)
    pairs = [
        ("Signed by", signature.signed_name),
        ("Signed at", f"{signature.signed_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"),
        ("How", "full name typed" + (f", {signature.device}" if signature.device else "")),
        ("State of care", signature.care_state or "not named"),
        ("Document", f"{signature.document}, version {signature.version}"),
        ("Points ticked", f"{len(ticked & set(text.acknowledge))} of {len(text.acknowledge)}"),
        ("sha256 of the text", signature.sha256),
        ("Number of this signature", str(signature.pk)),
    ]
    if letters := undrawable(signature.signed_name):
        pairs.insert(1, ("Letters this font has no shape for", ", ".join(letters)))
    paper.facts(pairs)
    return paper.data()


def letter_pdf(clearance: ClearanceRequest) -> bytes:
    """The letter to a specialist, from the stored words alone."""
    from common.pdf import Paper

    practice = settings.PRACTICE
    paper = Paper(
        title="A question before treatment",
        author=practice["name"],
        made_at=clearance.asked_at,
        foot=f"{practice['name']}, {practice['phone']}. For the specialist named above, given to them by the patient.",
    )
    paper.heading("A question before treatment")
    for part in clearance.letter.split("\n\n"):
        for line in part.split("\n"):
            if line.startswith("- "):
                paper.paragraph(line[2:], mark="•")
            elif line.startswith("[ ] "):
                paper.paragraph(line[4:], mark="☐")
            else:
                paper.paragraph(line)
    return paper.data()
