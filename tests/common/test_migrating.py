"""Migrations render one model at a time, and code that runs in a migration still sees all of them as they are."""

from django.core.management import get_commands
from django.db import models
from django.db.migrations.state import ModelState, ProjectState

from common.migrating import one_model_at_a_time


def a_state() -> ProjectState:
    state = ProjectState()
    state.add_model(ModelState("old", "Person", [("id", models.AutoField(primary_key=True))]))
    state.add_model(
        ModelState(
            "old",
            "Visit",
            [
                ("id", models.AutoField(primary_key=True)),
                ("person", models.ForeignKey("old.Person", models.CASCADE)),
            ],
        )
    )
    assert state.apps
    return state


def test_migrate_is_ours_wherever_it_is_called() -> None:
    assert get_commands()["migrate"] == "common"


def test_a_new_field_renders_its_own_model_and_no_other() -> None:
    state = a_state()
    visit = state.apps.get_model("old", "Visit")
    with one_model_at_a_time():
        state.add_field("old", "person", "name", models.TextField(default=""), True)
    assert state.apps.get_model("old", "Person")._meta.get_field("name")
    assert state.apps.get_model("old", "Visit") is visit


def test_code_in_a_migration_sees_every_model_as_it_is() -> None:
    state = a_state()
    with one_model_at_a_time():
        state.add_field("old", "person", "name", models.TextField(default=""), True)
        # What RunPython does first.
        state.clear_delayed_apps_cache()
    visit = state.apps.get_model("old", "Visit")
    assert visit._meta.get_field("person").related_model is state.apps.get_model("old", "Person")


def test_afterwards_django_renders_as_always() -> None:
    before = ProjectState.reload_model
    with one_model_at_a_time():
        assert ProjectState.reload_model is not before
    assert ProjectState.reload_model is before
