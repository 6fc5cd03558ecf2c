"""PR-03: reminders with worker, beat and Redis killed: lost 0, doubled 0 beyond the class, stuck 0."""

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.faults.conftest import SETTLED, World, wait_for
from tests.faults.leavers import leavers_intents, practice_of
from tests.faults.ledger import Ledger, reconcile

pytestmark = [pytest.mark.fault, pytest.mark.xdist_group("faults")]

# The worker's own task without Celery around it, as quick to start and to kill as can be.
DISPATCH = (
    "import django; django.setup()\n"
    "from common import clock\nfrom notify import actions\n"
    "while True:\n"
    "    actions.resolve_expired(at=clock.now())\n"
    "    if actions.dispatch_due(at=clock.now(), limit=25).claimed == 0:\n"
    "        clock.sleep(0.05)\n"
)


def test_a_sender_killed_after_the_vendor_took_it_leaves_one_copy(world: World) -> None:
    """PR-03: class R at the deterministic point "vendor accepted, sender dead"."""
    world.promise_mails(1)
    dead = world.start("-c", DISPATCH, HEARTHSIDE_SANDBOX_DIE="after-accept")
    assert dead.wait(timeout=150) == -signal.SIGKILL
    assert world.delivered() == 1
    world.advance(301)
    world.start("-c", DISPATCH)
    wait_for(lambda: world.number(SETTLED) == 0, seconds=150, what="the message is settled")
    world.reconcile(at_most=1)


def test_senders_killed_again_and_again_lose_nothing_and_double_nothing(world: World) -> None:
    """PR-03: kill -9 at whatever instant of its sending it falls on."""
    world.promise_mails(4000)
    kills = 0
    for wait_s in (0.05, 0.15, 0.1, 0.2):
        before = world.delivered()
        if before > 3000:  # A quick machine: the next sender might find nothing left to be killed over.
            break
        child = world.start("-c", DISPATCH)
        wait_for(lambda since=before: world.delivered() > since, seconds=150, what="it sends")
        time.sleep(wait_s)
        world.kill(child)
        kills += 1
    assert kills >= 2 and world.delivered() < 4000, "a sender was killed with nothing left to send"
    world.advance(301)
    world.start("-c", DISPATCH)
    world.start("-c", DISPATCH)
    wait_for(lambda: world.number(SETTLED) == 0, seconds=150, what="all 4000 are settled")
    world.reconcile(at_most=1)
    assert world.delivered() == 4000


def test_worker_beat_and_redis_killed_and_restarted_lose_nothing(world: World) -> None:
    """PR-03, PR-18: the real worker, the real beat, and a Redis that forgets everything."""
    if world.pair.redis_child is None:
        pytest.skip("no Redis runs on this machine")
    worker, beat = world.worker(), world.beat()
    world.promise_mails(3000, nudge=True)
    wait_for(lambda: world.delivered() >= 500, seconds=150, what="the worker is in the middle of it")
    for child in (worker, beat):
        world.kill(child)
    world.pair.redis_child.kill()
    world.pair.redis_child.wait(timeout=5)
    world.pair.restart_redis()
    world.advance(301)
    world.worker()
    world.beat()
    wait_for(lambda: world.number(SETTLED) == 0, seconds=150, what="all 3000 are settled")
    world.reconcile(at_most=1)
    assert world.delivered() == 3000


LOGS_IN = (
    "import django; django.setup()\n"
    "import sys\n"
    "from allauth.account.models import EmailAddress\n"
    "from django.test import Client\n"
    "from accounts.models import User\n"
    "alice = User.objects.get(email='alice@example.test')\n"
    "alice.set_password('correct horse battery staple'); alice.save()\n"
    "EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)\n"
    "def tries(password):\n"
    "    browser = Client(HTTP_HOST='127.0.0.1')\n"
    "    browser.post('/accounts/login/', {'login': alice.email, 'password': password})\n"
    "    return '_auth_user_id' in browser.session\n"
    "came_in = [tries('correct horse battery staple')] + [tries('wrong') for _ in range(10)]\n"
    "sys.exit(0 if came_in == [True] + [False] * 10 and not tries('correct horse battery staple') else 9)\n"
)


def test_people_log_in_without_redis_and_wrong_passwords_are_counted_all_the_same(world: World) -> None:
    """PR-16, PR-18."""
    assert world.run(LOGS_IN, REDIS_URL="redis://127.0.0.1:1/0") == 0


CANCELS = (
    "import django; django.setup()\n"
    "import sys\n"
    "from common import clock\nfrom consults.actions import cancel\nfrom consults.models import Appointment\n"
    "visit = Appointment.objects.select_related('patient__user').get(pk=sys.argv[1])\n"
    "cancel(visit, by=visit.patient.user, at=clock.now())\n"
)


def test_a_visit_cancelled_just_before_its_reminder_is_due_sends_none_and_one_that_stands_sends_it(
    world: World,
) -> None:
    """PR-03: by the vendors' own books, and the ledger would say if one had gone all the same."""
    world.vendors()
    practice = practice_of(world, 1, 0, 0, 0, 4, 100.0)
    leaves, *others = practice["leavers"]
    ledger = Ledger(world.folder / "ledger.jsonl")
    ledger.write(what="meant", kind="cancelled", key="one", visit=leaves["visit"])
    assert world.start("-c", CANCELS, leaves["visit"]).wait(timeout=150) == 0
    ledger.write(what="told", key="one")
    # All is due; the reminders of the visits that stand go, each by its two ways.
    world.advance(130)
    world.start("-c", DISPATCH)
    wait_for(
        lambda: (
            world.number(
                "SELECT count(*) FROM notify_outboxmessage WHERE kind = 'visit_tomorrow' AND state IN ('scheduled', 'sending')"
            )
            == 0
        ),
        seconds=150,
        what="the reminders are settled",
    )
    intents = leavers_intents(practice, ledger.lines(), world.taken())
    assert {one.key: (one.withdrawn, len(one.taken_at_s)) for one in intents} == {
        **{f"{leaves['visit']} {way}": (True, 0) for way in ("sms", "email")},
        **{f"{other['visit']} {way}": (False, 1) for other in others for way in ("sms", "email")},
    }
    assert reconcile(intents, [], now_s=practice["leavers"][0]["due_at_s"]) == []
    gone = {"at": "2030-01-01T00:00:00+00:00", "to": leaves["to"]["sms"], "words": "your appointment is on"}
    (finding,) = reconcile(leavers_intents(practice, ledger.lines(), [*world.taken(), gone]), [], now_s=0)
    assert (finding.what, finding.key) == ("doubled", f"{leaves['visit']} sms")


# A worker whose watchdog is in a hurry.
QUICK_WORKER = (
    "import sys\nfrom notify import watchdog\n"
    "watchdog.LOOK_EVERY_S, watchdog.ASK_AFTER_S, watchdog.END_AFTER_S = 0.5, 2.0, 6.0\n"
    "from config.celery import app\n"
    "app.worker_main(['worker', '--hostname', sys.argv[1], '--queues', 'default,bulk', '--concurrency', '1', '--loglevel', 'WARNING'])\n"
)
GOES_DEAF = (
    "import django; django.setup()\n"
    "from config.celery import app\n"
    "for queue in ('default', 'bulk', 'one@here.dq2'):\n"
    "    assert app.control.cancel_consumer(queue, destination=['one@here'], reply=True, timeout=10)\n"
)


def test_a_worker_that_no_longer_takes_work_ends_itself_while_another_beats(world: World) -> None:
    """PR-03: its process lives and answers questions, it only consumes nothing (celery issue 10302)."""
    if world.pair.redis_child is None:
        pytest.skip("no Redis runs on this machine")
    deaf, well = (world.start("-c", QUICK_WORKER, name) for name in ("one@here", "two@here"))

    def beats() -> dict[str, float]:
        return dict(
            world.ask(
                "SELECT name, extract(epoch FROM hearthside_now() - at)::float FROM notify_heartbeat WHERE lane = 'worker'"
            )
        )

    wait_for(lambda: len(beats()) == 2, seconds=150, what="each worker has a beat of its own")
    # Left alone, each goes on by what its watchdog asks of it.
    time.sleep(10)
    assert max(beats().values()) < 9 and deaf.poll() is None and well.poll() is None
    assert world.run(GOES_DEAF) == 0
    wait_for(lambda: deaf.poll() is not None, seconds=90, what="the deaf worker has ended")
    assert well.poll() is None and beats()["worker:two@here"] < 15 < beats()["worker:one@here"] + 15


@contextlib.contextmanager
def black_hole() -> Iterator[str]:
    """A Redis that takes the connection and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        kept: list[socket.socket] = []

        def swallow() -> None:
            with contextlib.suppress(OSError):
                while True:
                    kept.append(listener.accept()[0])

        threading.Thread(target=swallow, daemon=True).start()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
        for one in kept:
            one.close()


NUDGE = (
    "import django; django.setup()\n"
    "import sys, time\n"
    "from django.db import transaction\nfrom django.core.mail import send_mail\n"
    "began = time.monotonic()\n"
    "send_mail('Confirm', 'Words', None, ['new@example.test'])\n"
    "sys.exit(0 if time.monotonic() - began < 5 else 9)\n"
)


@pytest.mark.parametrize("trouble", ["stopped", "silent"])
def test_somebody_signing_up_notices_nothing_of_a_broken_redis(world: World, trouble: str) -> None:
    """PR-18: the mail is promised, the nudge gives up quickly, the next tick sends it."""
    with black_hole() as silent:
        code = world.run(NUDGE, REDIS_URL=silent if trouble == "silent" else "redis://127.0.0.1:1/0")
    assert code == 0
    assert world.ask("SELECT kind, state FROM notify_outboxmessage") == [("account.mail", "scheduled")]
