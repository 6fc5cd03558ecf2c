"""What a deployment says about prescribing: the sandbox is named, and a wrong word stops the start."""

import os
import subprocess
import sys
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from consults.checks import pharmacy_is_real, prescribing_errors, refuse_to_start
from consults.gateways.pharmacy import GATEWAYS, pharmacy_gateway
from runner.paths import ROOT
from runner.suite import PRODUCTION_LIKE


def test_the_sandbox_is_a_warning_of_a_deployment_and_the_shipped_way_by_hand_is_none(settings: Any) -> None:
    settings.PHARMACY_GATEWAY = "sandbox"
    (warning,) = pharmacy_is_real(None)
    assert warning.id == "consults.W001" and "sends nothing" in warning.msg
    settings.PHARMACY_GATEWAY = "by_hand"
    assert pharmacy_is_real(None) == [] and pharmacy_gateway().send(
        way="fax", document=b"%PDF-", reference="r"
    ) == (GATEWAYS["by_hand"]().send(way="print", document=b"", reference="s"))
    assert pharmacy_gateway().send(way="fax", document=b"%PDF-", reference="r").external_id == "", (
        "no number is made up"
    )


def test_the_warning_is_among_the_checks_of_a_deployment_alone(settings: Any) -> None:
    settings.PHARMACY_GATEWAY = "sandbox"
    assert "consults.W001" in [found.id for found in run_checks(include_deployment_checks=True)]
    assert "consults.W001" not in [found.id for found in run_checks()]


@pytest.mark.parametrize(
    ("setting", "value", "id"),
    [
        ("PHARMACY_GATEWAY", "surescrips", "consults.E001"),
        ("PHARMACY_GATEWAY", "", "consults.E001"),
        ("TELEMEDICINE_FLEXIBILITY_ENDS_ON", "31.12.2026", "consults.E002"),
    ],
)
def test_a_word_that_is_none_stops_the_start(setting: str, value: str, id: str, settings: Any) -> None:
    assert prescribing_errors() == []
    setattr(settings, setting, value)
    assert [error.id for error in prescribing_errors()] == [id]
    with pytest.raises(ImproperlyConfigured, match=setting):
        refuse_to_start()


@pytest.mark.parametrize(("gateway", "starts"), [("surescrips", False), ("", True)])
def test_a_program_of_a_deployment_does_not_load_with_a_gateway_that_is_not_there(
    gateway: str, starts: bool
) -> None:
    """As web, worker and pager load it; without a word production hands over by hand and never plays a pharmacy."""
    environment = {
        **os.environ, **PRODUCTION_LIKE, "SECRET_KEY": "x" * 60, "PYTHONPATH": str(ROOT), "PHARMACY_GATEWAY": gateway,
        "FIELD_KEYS": "a:ZGVtby1vbmx5LWtleS1kZW1vLW9ubHkta2V5LTAwMDA=", "DJANGO_SETTINGS_MODULE": "config.settings",
    }  # fmt: skip
    words = "import config.wsgi; from django.conf import settings; print(settings.PHARMACY_GATEWAY)"
    done = subprocess.run(
        [sys.executable, "-c", words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode == 0) is starts, done.stderr
    if starts:
        assert done.stdout.strip() == "by_hand"
    else:
        assert "there is no such gateway. One of: by_hand, sandbox." in done.stderr
