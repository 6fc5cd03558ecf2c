"""What can go wrong, named for what happened. Pages turn these into a notice, the API into {"code", "detail", "fields"}."""


class DomainError(Exception):
    """A request that must not be carried out. `code` is stable, `detail` is a sentence a person can act on."""

    code = "refused"
    status = 409

    def __init__(self, detail: str, *, code: str | None = None, fields: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.code
        self.fields = fields or {}


class Conflict(DomainError):
    """Somebody was faster, or the page is stale."""

    code = "conflict"


class StaleVersion(Conflict):
    code = "stale_version"


class SlotTaken(Conflict):
    code = "slot_taken"


class MoveNotAllowed(Conflict):
    """The state table has no such move, or another process made it first."""

    code = "move_not_allowed"


class IntentReused(DomainError):
    """The same intent came back with another body."""

    code = "intent_reused"
    status = 422


class Invalid(DomainError):
    """A value cannot be taken as it is; `fields` names which and how to mend it."""

    code = "invalid"
    status = 422


class NotPermitted(DomainError):
    """The person may see this but may not do it."""

    code = "not_permitted"
    status = 403


class NotVisible(DomainError):
    """It does not exist, or not for this person: the two look the same."""

    code = "not_found"
    status = 404


class StepUpNeeded(DomainError):
    """Signing and releasing need a second factor within the last five minutes."""

    code = "step_up_needed"
    status = 403
