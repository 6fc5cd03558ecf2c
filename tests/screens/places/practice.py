"""Messages, safety, the work list, the administration."""

from datetime import date

from accounts import actions as people
from accounts.models import CredentialRequest, RoleGrant
from coaching.models.messages import MessageThread
from common import clock, protocol
from intake.models import DryRun
from safety.access import closed_alerts_for
from safety.models import AdverseEvent, Alert, OnCallShift, Task
from tests.screens.camera import Camera
from tests.screens.places.hands import press


def messages(camera: Camera) -> None:
    """Messages"""
    shows = camera.shows
    shows("after one", "/messages/", "messages", "Conversations with the care team.", both=True)
    thread = MessageThread.objects.filter(patient_id=camera.person("after one").pk).first()
    if thread:
        shows(
            "after one",
            f"/messages/{thread.pk}/",
            "message-thread",
            "One conversation, with a photo and who read what.",
            both=True,
        )
        shows(
            "coach of after one",
            f"/messages/{thread.pk}/",
            "message-thread-staff",
            "The same from the care team's side.",
        )
    shows("after one", "/messages/new/", "message-new", "A new message: who answers, by when.", both=True)
    waits = MessageThread.objects.filter(patient_id=camera.person("after two").pk).first()
    shows(
        "coach of after two",
        "/messages/",
        "messages-staff",
        "The care team's conversations, what waits first.",
    )
    shows(
        "coach of after two",
        f"/messages/of/{camera.person('after two').pk}/",
        "messages-of",
        "Everything with one person.",
    )
    shows(
        "coach of after two",
        f"/messages/to/{camera.person('after two').pk}/",
        "message-new-staff",
        "The care team writes first.",
    )
    if waits:
        shows(
            "coach of after two",
            f"/messages/{waits.pk}/",
            "message-waits",
            "A question that waits for an answer.",
        )
        shows(
            "coach of after two",
            f"/messages/{waits.pk}/hand-over/",
            "message-hand-over",
            "Handing a conversation over.",
        )
    shows("after two", "/profile/messages/", "wishes", "Which messages, how, and quiet hours.", both=True)
    shows("after two", "/profile/", "profile", "One's own details, language and zone.", both=True)
    shows("after two", "/profile/security/", "security", "Password, second factor, devices.", phone=True)
    shows("dana", "/profile/messages/", "wishes-staff", "The same page of a member of the care team.")
    shows("dana", "/profile/", "profile-staff", "A clinician's details.")
    shows("ann", "/outbox/", "outbox", "What left, what waits, what was stopped.")
    shows("ann", "/outbox/catalogue/", "outbox-catalogue", "Every message that exists, in each language.")
    shows("ann", "/outbox/stuck/", "outbox-stuck", "What could not be sent, with its owner.")
    shows("ann", "/outbox/replies/", "outbox-replies", "Texts that people sent back.")


def safety(camera: Camera) -> None:
    """Safety"""
    shows = camera.shows
    shows("dana", "/alerts/", "alerts", "Live alerts, the most urgent first.")
    shows("dana", "/alerts/?show=closed", "alerts-closed", "Closed ones.")
    live = Alert.objects.filter(patient_id=camera.person("crisis").pk).exclude(state="closed").first()
    shut = closed_alerts_for(camera.person("dana"))[0][0]
    if live:
        # Whoever is licensed where the person lives, or is on call.
        for name in ("dana", "priya", "noah"):
            answer = camera.page(name).goto(f"{camera.url}/alerts/{live.pk}/")
            if answer and answer.status == 200:
                camera.keeps(
                    camera.page(name),
                    "alert",
                    "One alert: signs, pages, who took it, what the person was shown.",
                )
                break
    shows("dana", f"/alerts/{shut.pk}/", "alert-closed", "A closed one, with what was done.")
    shows("ann", "/alerts/roster/", "roster", "Who is on call, gaps, holidays, time away.")
    mine = (
        OnCallShift.objects.filter(person=camera.person("dana"), ends_at__gt=clock.now(), removed_at=None)
        .order_by("starts_at")
        .first()
    )
    shows("dana", "/alerts/roster/", "roster-staff", "The roster as a psychiatrist sees it.")
    if mine:
        shows(
            "dana",
            f"/alerts/roster/{mine.pk}/hand-over/",
            "roster-hand-over",
            "Handing a shift, or the rest of it, to a colleague.",
        )
    shows("dana", "/adverse-events/", "adverse-events", "Adverse events and their rate.")
    shows("ann", "/adverse-events/", "adverse-events-admin", "The same without clinical words.")
    event = AdverseEvent.objects.order_by("-reported_at").first()
    if event:
        shows(
            "doctor of after three high pressure",
            f"/adverse-events/{event.pk}/",
            "adverse-event",
            "One event: cause, action, outcome, who was told.",
        )
    person = camera.person("after two").pk
    shows("doctor of after two", f"/adverse-events/new/{person}/", "adverse-event-new", "Reporting an event.")
    shows(
        "coach of after two",
        f"/adverse-events/incident/{person}/",
        "incident",
        "What a coach heard about medicine.",
    )
    shows(
        "after two",
        "/medicine-report/",
        "medicine-report",
        "Lost, stolen, or taken by somebody else.",
        both=True,
    )
    shows(
        "after two", "/medicine-report/done/", "medicine-reported", "Told: who gets in touch, and what waits until then.", phone=True
    )  # fmt: skip
    shows("after two", "/safety-plan/", "safety-plan", "One's own safety plan.", both=True)
    shows(
        "doctor of after two", f"/safety-plan/{person}/", "safety-plan-staff", "The same, for the care team."
    )
    shows(
        "doctor of after two",
        f"/c-ssrs/{person}/",
        "c-ssrs",
        "The result of a C-SSRS that the psychiatrist asked; its text is not here.",
    )


def work(camera: Camera) -> None:
    """Work list and home pages"""
    shows = camera.shows
    shows("dana", "/home/", "home-psychiatrist", "A psychiatrist's day.")
    shows("cole", "/home/", "home-coach", "A coach's day.")
    shows("ann", "/home/", "home-administrator", "An administrator's day.")
    shows("dana", "/work/", "work", "Overdue, due today, coming, waiting for somebody else.")
    shows("ann", "/work/practice/", "work-practice", "Everybody's list, and what nobody attends to.")
    shows(
        "ann",
        f"/work/people/{camera.person('dana').pk}/",
        "work-person",
        "One person's list, without clinical words.",
    )
    task = Task.objects.filter(owner=camera.person("ann"), done_at=None).first()
    if task:
        shows("ann", f"/work/{task.pk}/", "task", "One task: finish it, or hand it over.")


def administration(camera: Camera) -> None:
    """Administration"""
    shows = camera.shows
    shows("ann", "/admin/", "admin", "The administration's first page is the work list.")
    pages = {
        "accounts/user": "People.", "accounts/rolegrant": "Roles, given by two people.", "accounts/careteam": "Care teams.",
        "accounts/licence": "Licences.", "accounts/dearegistration": "DEA registrations.", "accounts/credentialrequest": "Credentials wait for a second person.",
        "common/protocolversion": "Protocol versions, approved by a second person.", "common/auditentry": "The trail.",
        "common/stateevent": "Changes of state.", "notify/outboxmessage": "Messages.", "notify/messagewording": "The practice's own words.",
        "notify/heartbeat": "The beating of each program.", "safety/alert": "Alerts.", "safety/safetyhold": "Holds.", "safety/oncallshift": "Shifts.",
        "intake/rulecount": "How often each rule was hit.", "intake/dryrun": "Changes of rules, tried on past intakes.", "video/room": "Rooms.",
        "billing/refund": "Refunds.",
    }  # fmt: skip
    for path, caption in pages.items():
        shows("ann", f"/admin/{path}/", f"admin-{path.split('/')[1]}", caption)
    shows(
        "ann",
        "/admin/notify/messagewording/add/",
        "admin-wording-new",
        "Own words for a message, tried before they are kept.",
    )
    shows("ann", f"/admin/accounts/user/{camera.person('dana').pk}/change/", "admin-person", "One person.")
    two_persons(camera)
    changing_a_rule(camera)
    shows("", "/components/", "components", "The parts that pages are made of.")


def two_persons(camera: Camera) -> None:
    """A role and a licence that one administrator entered and another decides about."""
    ben, at = camera.person("ben"), clock.now()
    cole = camera.person("cole")
    grant = RoleGrant.objects.filter(decided_at=None).first() or people.propose_role(
        cole, role="administrator", reason="Stands in for Ann in December.", by=ben, at=at
    )
    camera.shows(
        "ann", f"/admin/accounts/rolegrant/{grant.pk}/decide/", "admin-role-decide", "A role: the second person decides."
    )  # fmt: skip
    entered = CredentialRequest.objects.filter(decided_at=None).first() or people.propose_credential(
        kind="licence", psychiatrist=camera.person("noah"), state="WA", number="WA-20417", expires_on=date(2028, 6, 30), by=ben, at=at
    )  # fmt: skip
    camera.shows(
        "ann",
        f"/admin/accounts/credentialrequest/{entered.pk}/decide/",
        "admin-credential-decide",
        "A licence: the second person compares it with its source.",
    )


def changing_a_rule(camera: Camera) -> None:
    """One rule, a change of it that is proposed, its dry run, and the page on which a second person approves."""
    page = camera.page("ann")
    page.goto(f"{camera.url}/admin/intake/rulecount/rule/E66/")
    camera.keeps(
        page, "admin-rule", "One rule: its source, how often it was true, and the proposal of a change."
    )
    at = clock.now()
    plain = protocol.propose(
        version=f"{at:%Y.%m.%d}-words", data=protocol.current(at=at).data, note="Clearer words for one rule.", by=camera.person("ann"), at=at
    )  # fmt: skip
    camera.shows(
        "ann", f"/admin/intake/dryrun/of/{plain.pk}/", "admin-dryrun-of", "A draft that was not tried on past intakes yet."
    )  # fmt: skip
    page.goto(f"{camera.url}/admin/intake/rulecount/rule/E66/")
    page.fill("[name=version]", f"{at:%Y.%m.%d}-e66")
    page.fill("[name=note]", "A psychiatrist looks at each of them first.")
    page.select_option("[name=outcome]", "review")
    press(page, "Propose")
    page.wait_for_url("**/intake/dryrun/*/change/")
    run = DryRun.objects.select_related("draft").latest("asked_at")
    for _ in range(40):
        if DryRun.objects.filter(pk=run.pk, finished_at__isnull=False).exists():
            break
        page.wait_for_timeout(500)
    page.reload()
    camera.keeps(
        page, "admin-dry-run", "A dry run: who would have been answered otherwise; numbers, no names."
    )
    camera.shows(
        "ben",
        f"/admin/common/protocolversion/{run.draft.pk}/review/",
        "admin-protocol-review",
        "Old and new beside each other, for the second person's signature.",
    )
