"""Migrations that render one historical model at a time, which makes an empty database a practice in seconds (ADR 0007).

Django renders every related model again after each operation. Here all models hang together through people and patients, so each of
some nine hundred operations would render nearly all of them: 140 s of processor instead of 9. The schema editor reads the changed model
alone. Django's own flag `is_delayed` makes each RunPython begin with all models rendered afresh, as after any delayed reload.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db.migrations.state import ProjectState


def _alone(state: Any, models: Iterable[tuple[str, str]]) -> None:
    if "apps" in state.__dict__:
        state.is_delayed = True
        state._reload(set(models))


def _reload_model(self: Any, app_label: str, model_name: str, delay: bool = False) -> None:
    _alone(self, [(app_label, model_name)])


def _reload_models(self: Any, models: Iterable[tuple[str, str]], delay: bool = True) -> None:
    _alone(self, models)


@contextmanager
def one_model_at_a_time() -> Iterator[None]:
    """While this lasts, a historical state renders again what an operation names, and nothing related to it."""
    state: Any = ProjectState
    before = (state.reload_model, state.reload_models)
    state.reload_model, state.reload_models = _reload_model, _reload_models
    try:
        yield
    finally:
        state.reload_model, state.reload_models = before
