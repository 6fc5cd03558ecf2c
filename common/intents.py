"""Every unsafe form carries an intent: a server-minted UUID that makes one thing happen once.

Pages: put `intents.mint()` in the form as `intent` and decorate the view with `@intents.guard`. API writes send the same
thing as `Idempotency-Key`; `common.api.IdempotentWrites` honours it.

What is kept of a page is an address, and a replay is sent there: that page asks again who may see it. What is kept of an API
write is the answer itself, encrypted, for `INTENT_ANSWERS_KEPT_HOURS`, and the view asks again before it is given out. After
`INTENTS_KEPT_DAYS` nothing is left (`sweep`).
"""

import functools
import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect

from common import audit, clock
from common.errors import DomainError, IntentReused, Invalid, StepUpNeeded
from common.models import ClientIntent

MINT_FIELD = "intent"


def mint() -> str:
    """A fresh intent for a form that is about to be shown."""
    return str(uuid.uuid4())


def body_hash(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


@dataclass
class Claim:
    row: ClientIntent
    replayed: bool


def claim(*, actor: str, key: str, hashed: str) -> Claim:
    """Take the intent, inside the caller's transaction; a concurrent twin waits here until the first one commits.

    Raises IntentReused when the same key comes with another body.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO common_clientintent (actor, key, body_hash, created_at, status, result_url) "
            "VALUES (%s, %s, %s, %s, 0, '') ON CONFLICT (actor, key) DO NOTHING RETURNING id",
            [actor, key, hashed, clock.now()],
        )
        fresh = cursor.fetchone()
    row = ClientIntent.objects.get(actor=actor, key=key)
    if fresh is None and row.body_hash != hashed:
        raise IntentReused("This form was already sent with other answers. Open it again to send a change.")
    return Claim(row=row, replayed=fresh is None)


def actor_of(request: HttpRequest) -> str:
    """Whose intent this is: the person's, or the browser session's for somebody who is not logged in."""
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated:
        return f"user:{user.pk}"
    if not request.session.session_key:
        request.session.create()
    return f"browser:{request.session.session_key}"


def form_hash(request: HttpRequest) -> str:
    """The body without what changes on its own (csrf token), with the path, so that one key serves one form."""
    pairs = sorted(
        (name, value)
        for name in request.POST
        if name not in ("csrfmiddlewaretoken", MINT_FIELD)
        for value in request.POST.getlist(name)
    )
    files = sorted(
        (name, file.name or "", file.size or 0)
        for name in request.FILES
        for file in request.FILES.getlist(name)
    )
    return body_hash(request.path.encode(), repr(pairs).encode(), repr(files).encode())


def guard(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Make a page's POST happen once.

    A redirect means done: its address is kept, and a replay is sent there. A page shown with 200 after a change (crisis help)
    sets `response.replay_url` to say so. Anything else (form errors) undoes the claim, so that the person may send it again.
    """

    @functools.wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        key = request.POST.get(MINT_FIELD, "")
        try:
            uuid.UUID(key)
        except ValueError:
            raise Invalid(
                "This form is missing its number. Reload the page and send it again.", code="intent_missing"
            ) from None
        with audit.outliving_a_rollback() as outliving:
            try:
                response, undone = _once(view, request, key, *args, **kwargs)
            except (DomainError, Http404) as error:
                audit.write_again(outliving)
                _note_refusal(request, error, kwargs)
                raise
            if undone:
                audit.write_again(outliving)
        return response

    guarded.carries_intent = True  # type: ignore[attr-defined]
    return guarded


def _once(
    view: Callable[..., HttpResponse], request: HttpRequest, key: str, *args: Any, **kwargs: Any
) -> tuple[HttpResponse, bool]:
    """The view's answer, or where its first answer is; and whether everything it wrote was undone."""
    with transaction.atomic():
        taken = claim(
            actor=getattr(request, "intent_actor", None) or actor_of(request),
            key=key,
            hashed=form_hash(request),
        )
        if taken.replayed:
            return HttpResponseRedirect(taken.row.result_url or request.path), False
        response = view(request, *args, **kwargs)
        if response.status_code in (302, 303):
            result_url = response["Location"]
        else:
            result_url = getattr(response, "replay_url", "")
        if result_url:
            ClientIntent.objects.filter(pk=taken.row.pk).update(
                status=response.status_code, result_url=result_url[:300]
            )
        else:
            transaction.set_rollback(True)
    return response, not result_url


def _note_refusal(request: HttpRequest, error: Exception, kwargs: dict[str, Any]) -> None:
    """A refused act leaves its row (PR-12). A form to be mended, and a second factor that is only asked for, are none."""
    if isinstance(error, Invalid | StepUpNeeded):
        return
    user = getattr(request, "user", None)
    known = user is not None and user.is_authenticated
    audit.refused(
        by=user if known else getattr(request, "intent_actor", None) or "visitor",
        at=clock.now(),
        where=getattr(request.resolver_match, "view_name", "") if request.resolver_match else "",
        ids=kwargs,
        code=error.code if isinstance(error, DomainError) else "not_found",
        status=error.status if isinstance(error, DomainError) else 404,
    )


def sweep(*, at: datetime, limit: int = 5000) -> dict[str, int]:
    """Forget what is old: first the kept answers, later the intents. Bounded, so that a large backlog takes several turns."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE common_clientintent SET result = NULL WHERE id = ANY(ARRAY(SELECT id FROM common_clientintent "
            "WHERE result IS NOT NULL AND created_at < %s ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED))",
            [at - timedelta(hours=settings.INTENT_ANSWERS_KEPT_HOURS), limit],
        )
        emptied = cursor.rowcount
        cursor.execute(
            "DELETE FROM common_clientintent WHERE id = ANY(ARRAY(SELECT id FROM common_clientintent "
            "WHERE created_at < %s ORDER BY created_at LIMIT %s FOR UPDATE SKIP LOCKED))",
            [at - timedelta(days=settings.INTENTS_KEPT_DAYS), limit],
        )
        return {"emptied": emptied, "deleted": cursor.rowcount}
