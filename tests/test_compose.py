"""The production shape, read as data: valid by the compose schema, complete, without secrets, and told in the docs.

No Docker engine is needed, so these run everywhere; what they cannot see is whether the published images exist.
"""

from __future__ import annotations

import importlib
import json
import re
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
import yaml
from django.core.management import get_commands

from runner import up
from runner.paths import ROOT

COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
READERS = "".join(
    (ROOT / path).read_text()
    for path in ("config/settings.py", "safety/roster_access.py", "safety/management/commands/pager.py")
)
SERVICES = {
    "migrate", "web", "ws", "worker", "bulk", "beat", "pager", "postgres", "redis", "proxy", "coturn",
}  # fmt: skip
OURS = ("migrate", "web", "ws", "worker", "bulk", "beat", "pager")
SECRET_WORDS = re.compile(r"SECRET|PASSWORD|TOKEN|KEY|_URL$")
MAY_BE_EMPTY = ("SITE_URL", "SECRET_KEY_FALLBACKS", "PAGER_DEADMAN_URL")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return loaded


def words(command: list[str] | str) -> str:
    return command if isinstance(command, str) else " ".join(command)


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = json.loads(
        files("check_jsonschema.builtin_schemas.vendor").joinpath("compose-spec.json").read_text()
    )
    # The schema names its own dialect; an older one would ignore the very keyword that refuses unknown names.
    return jsonschema.validators.validator_for(schema)(schema)


def test_the_file_is_valid_by_the_compose_specifications_schema(
    compose: dict[str, Any], validator: Any
) -> None:
    assert [error.message for error in validator.iter_errors(compose)] == []


@pytest.mark.parametrize("mistake", [{"imagine": "hearthside"}, {"ports": "80"}, {"restart": 1}])
def test_the_schema_notices_a_mistake(
    compose: dict[str, Any], validator: Any, mistake: dict[str, Any]
) -> None:
    wrong = {**compose, "services": {**compose["services"], "web": mistake}}
    assert list(validator.iter_errors(wrong))


def test_every_piece_is_there_and_worker_and_pager_are_two(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == SERVICES
    assert services["worker"]["deploy"]["replicas"] == 2
    assert services["pager"]["deploy"]["replicas"] == 2
    assert "deploy" not in services["beat"]


def test_what_make_up_runs_and_what_production_runs_are_the_same_programs(compose: dict[str, Any]) -> None:
    here = up.commands("0.0.0.0", 8000, 8001, workers=2)
    # On one machine one worker takes both queues, in the order of their urgency.
    assert set(here) == set(OURS) - {"migrate", "bulk"}
    for name, command in here.items():
        there = compose["services"][name]["command"]
        assert there[-1] == command[-1]
        for flag in ("--interface", "--blocking-threads", "-A"):
            assert (flag in there) == (flag in command), (name, flag)
            if flag in command:
                assert there[there.index(flag) + 1] == command[command.index(flag) + 1]


def test_every_queue_that_a_task_goes_to_has_a_worker_and_ticks_come_first(compose: dict[str, Any]) -> None:
    from django.conf import settings

    routed = {"default", *(route["queue"] for route in settings.CELERY_TASK_ROUTES.values())}
    command = {name: compose["services"][name]["command"] for name in ("worker", "bulk")}
    taken = {name: words[words.index("--queues") + 1].split(",") for name, words in command.items()}
    assert taken["worker"] == ["default"] and {q for queues in taken.values() for q in queues} == routed
    here = up.commands("0.0.0.0", 8000, 8001, workers=2)["worker"]
    assert here[here.index("--queues") + 1].split(",") == ["default", "bulk"]


@pytest.mark.parametrize("name", OURS)
def test_every_command_of_ours_exists(compose: dict[str, Any], name: str) -> None:
    command = compose["services"][name]["command"]
    assert command[0] == "python"
    if command[1] == "manage.py":
        assert command[2] in get_commands()
    elif command[2] == "granian":
        module, _, attribute = command[-1].partition(":")
        assert callable(getattr(importlib.import_module(module), attribute))
    else:
        assert command[2:5] == ["celery", "-A", "config"]
        assert command[5] in ("worker", "beat")


def test_no_secret_is_in_the_file_and_every_secret_is_required_by_name(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for variable, value in service.get("environment", {}).items():
            if SECRET_WORDS.search(variable) and variable not in MAY_BE_EMPTY:
                assert re.search(r"\$\{[A-Z0-9_]+:\?[^}]+\}", value) or "${SITE_HOST:?" in value, (
                    name,
                    variable,
                )
    for default in re.findall(r"\$\{([A-Z0-9_]+):-[^}]+\}", COMPOSE.read_text()):
        assert not SECRET_WORDS.search(default), f"{default} must have no default"


def test_one_variable_has_one_meaning_wherever_it_is_required() -> None:
    meanings: dict[str, set[str]] = {}
    for variable, meaning in re.findall(r"\$\{([A-Z0-9_]+):\?([^}]+)\}", COMPOSE.read_text()):
        meanings.setdefault(variable, set()).add(meaning)
    assert {variable: found for variable, found in meanings.items() if len(found) > 1} == {}


def test_every_variable_of_the_compose_file_is_told_in_the_operations_page() -> None:
    used = set(re.findall(r"\$\{([A-Z0-9_]+)[:}]", COMPOSE.read_text()))
    assert {variable for variable in used if f"`{variable}`" not in OPERATIONS} == set()


def test_every_variable_the_settings_read_is_told_in_the_operations_page() -> None:
    read = variables_of_the_settings()
    assert "SECRET_KEY" in read and "DATABASE_URL" in read
    assert {variable for variable in read if f"`{variable}`" not in OPERATIONS} == set()


# Read by the settings and not passed on by the compose file, each for its reason.
NOT_PASSED_ON = {
    "DEBUG": "never in production",
    "HEARTHSIDE_BENCH": "never in production",
    "HEARTHSIDE_TEST_CLOCK": "never in production",
    "HEARTHSIDE_TEST_CLOCK_FILE": "never in production",
    "PUSH_TEST_HOSTS": "never in production",
    "STRIPE_API_BASE": "another server in the vendor's place, for tests",
    "TWILIO_API_BASE": "another server in the vendor's place, for tests",
    "TEST_DATABASE_NAME": "for tests",
    "WS_PORT": "the proxy brings both together under one address",
    "STATIC_MANIFEST": "set in the image",
    "STATIC_ROOT": "set in the image",
}


def variables_of_the_settings() -> set[str]:
    text = (ROOT / "config" / "settings.py").read_text()
    return set(re.findall(r"""(?:environ\.get|env_flag|secret|environ)[(\[]\s*["']([A-Z0-9_]+)["']""", text))


def test_what_the_settings_read_reaches_every_program_or_is_named_with_its_reason(
    compose: dict[str, Any],
) -> None:
    """A fixed block of variables passes on only what it names: a word in .env alone would be a setting that does nothing."""
    read = variables_of_the_settings()
    for name in OURS:
        given = set(compose["services"][name]["environment"])
        assert read - given == set(NOT_PASSED_ON), name


def test_a_default_in_the_compose_file_is_the_default_of_the_settings(compose: dict[str, Any]) -> None:
    text = (ROOT / "config" / "settings.py").read_text()
    given = compose["services"]["web"]["environment"]
    for variable in ("TELEMEDICINE_FLEXIBILITY_ENDS_ON", "INTENT_ANSWERS_KEPT_HOURS", "INTENTS_KEPT_DAYS"):
        default = re.search(rf'environ.get\("{variable}", ""\) or "([^"]+)"', text)
        assert default and given[variable] == f"${{{variable}:-{default[1]}}}"
    for flag, said in (
        ("PTSD_PATHWAY", "False"),
        ("VIDEO_RELAY_ONLY", "False"),
        ("SECURE_SSL_REDIRECT", "True"),
    ):
        assert f'env_flag("{flag}", {said})' in text
        assert given[flag] == f"${{{flag}:-{int(said == 'True')}}}"


def test_every_variable_given_to_the_application_is_one_it_reads(compose: dict[str, Any]) -> None:
    """A misspelt variable would silently leave a sandbox adapter serving in production."""
    given = {variable for name in OURS for variable in compose["services"][name]["environment"]}
    assert {variable for variable in given if f'"{variable}"' not in READERS} == set()


def test_what_the_crisis_lane_reads_from_the_environment_reaches_the_pager(compose: dict[str, Any]) -> None:
    """A fixed block of variables passes on only what it names: a dead-man address in .env alone would call nobody."""
    pager = compose["services"]["pager"]["environment"]
    assert set(compose["services"]["web"]["environment"]) < set(pager)
    read = set(re.findall(r'"(PAGER_[A-Z_]+)"', READERS))
    assert read == {"PAGER_DEADMAN_URL", "PAGER_DAILY_DRILL", "PAGER_DRILL_ACCOUNT", "PAGER_COPIES"}
    for variable in read:
        default = {"PAGER_COPIES": "2", "PAGER_DAILY_DRILL": "1"}.get(variable, "")
        assert pager[variable] == f"${{{variable}:-{default}}}"
        assert f"`{variable}`" in OPERATIONS


def test_the_practices_own_calendar_is_the_same_in_every_program(compose: dict[str, Any]) -> None:
    default = re.search(r'environ.get\("PRACTICE_TIME_ZONE", "([^"]+)"\)', READERS)
    assert default
    for name in OURS:
        zone = compose["services"][name]["environment"]["PRACTICE_TIME_ZONE"]
        assert zone == f"${{PRACTICE_TIME_ZONE:-{default[1]}}}"


def test_web_is_ready_by_the_database_and_the_pager_does_not_wait_for_redis(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert ":8000/readyz" in words(services["web"]["healthcheck"]["test"])
    assert ":8001/livez" in words(services["ws"]["healthcheck"]["test"])
    for name in ("postgres", "redis", "worker", "proxy"):
        assert services[name]["healthcheck"]["test"], name
    assert "redis" not in services["pager"]["depends_on"]
    for name in ("web", "ws", "worker", "beat", "pager"):
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_redis_throws_nothing_away_keeps_what_it_took_and_is_nobodys_cache(compose: dict[str, Any]) -> None:
    from django.conf import settings

    command = words(compose["services"]["redis"]["command"])
    for word in ("--appendonly yes", "--maxmemory-policy noeviction", "--requirepass"):
        assert word in command
    assert all("redis" not in cache["BACKEND"].lower() for cache in settings.CACHES.values())


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("", ""),
        ("redis://:p@here:6379/0", "redis://:p@here:6379/0"),
        ("rediss://:p@there:6380/0", "rediss://:p@there:6380/0?ssl_cert_reqs=required"),
        (
            "rediss://t:6380/0?ssl_ca_certs=/ca.pem",
            "rediss://t:6380/0?ssl_ca_certs=/ca.pem&ssl_cert_reqs=required",
        ),
        ("rediss://t:6380/0?ssl_cert_reqs=none", "rediss://t:6380/0?ssl_cert_reqs=none"),
    ],
)
def test_the_certificate_of_a_redis_over_tls_is_looked_at(given: str, used: str) -> None:
    """Celery alone would speak to anybody; ticks carry nothing about people, and are nobody else's to send."""
    import ssl

    from kombu import Connection

    from config.settings import with_certificate_looked_at

    assert with_certificate_looked_at(given) == used
    if "required" in used:
        assert Connection(used).ssl["ssl_cert_reqs"] == ssl.CERT_REQUIRED


def test_only_the_proxy_is_open_to_the_world_and_the_data_has_no_way_out(compose: dict[str, Any]) -> None:
    assert [name for name, service in compose["services"].items() if "ports" in service] == ["proxy"]
    assert compose["networks"]["inside"] == {"internal": True}
    for name in ("postgres", "redis"):
        assert compose["services"][name]["networks"] == ["inside"]


@pytest.mark.parametrize("name", OURS)
def test_our_containers_have_no_rights_they_do_not_use(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]


def test_the_image_is_built_from_the_hashed_lock_and_does_not_run_as_root() -> None:
    stages = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert len(stages) == 2 and set(stages) == {"python:3.11-slim"}
    assert "pip install --require-hashes -r /tmp/base.txt" in DOCKERFILE
    assert "collectstatic --noinput" in DOCKERFILE
    last = DOCKERFILE.rsplit("\nFROM ", 1)[1]
    assert re.search(r"^USER (?!0|root)\S+", last, re.MULTILINE)
    assert not re.search(r"^(ENV|ARG) .*(SECRET|PASSWORD|TOKEN)", DOCKERFILE, re.MULTILINE)


def test_no_state_secret_or_history_enters_the_image() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".git", ".venv", "var", ".env", "tests"} <= set(ignored)


def test_files_the_compose_file_mounts_are_there(compose: dict[str, Any]) -> None:
    mounted = [
        volume.split(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", [])
        if volume.startswith("./")
    ]
    assert len(mounted) == 3
    assert [path for path in mounted if not (ROOT / path).exists()] == []


def test_the_proxy_sends_websockets_to_their_own_process() -> None:
    caddyfile = (ROOT / "deploy" / "Caddyfile").read_text()
    assert re.search(r"handle /ws/\* \{\s*reverse_proxy ws:8001", caddyfile)
    assert "reverse_proxy web:8000" in caddyfile
