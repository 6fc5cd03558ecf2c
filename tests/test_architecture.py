"""The codebase tested as a codebase: layers of foreign keys, where queries and clocks may stand, one source of each thing."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.db import models

ROOT = Path(settings.BASE_DIR)
# Lower rank = lower layer (docs/architecture.md). A foreign key may point down or within its own app, never up or sideways.
RANK = {
    "common": 0, "accounts": 1, "notify": 2, "safety": 3, "vitals": 4, "measures": 4, "video": 4, "intake": 5, "consults": 6,
    "dosing": 7, "coaching": 8, "billing": 8, "outcomes": 8, "portal": 9,
}  # fmt: skip
FOLDER = {"dosing": "sessions"}
OUR_FOLDERS = [FOLDER.get(label, label) for label in RANK]


def python_files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def our_models() -> list[type[models.Model]]:
    return [m for m in apps.get_models(include_auto_created=True) if m._meta.app_label in RANK]


def test_every_app_of_ours_has_a_rank_and_a_behaviour() -> None:
    assert set(settings.HEARTHSIDE_APPS) == set(OUR_FOLDERS)
    for folder in OUR_FOLDERS:
        assert any((ROOT / folder).glob("*.py")), folder


def test_foreign_keys_point_down() -> None:
    wrong = []
    for model in our_models():
        label = model._meta.app_label
        for field in model._meta.get_fields():
            target = getattr(field, "related_model", None)
            if (
                not isinstance(field, models.ForeignKey)
                or target is None
                or target._meta.app_label not in RANK
            ):
                continue
            target_label = target._meta.app_label
            if target_label == "accounts" and target.__name__ == "User":
                continue  # "who" may stand in any row
            if target_label != label and RANK[target_label] >= RANK[label]:
                wrong.append(f"{model._meta.label}.{field.name} -> {target._meta.label}")
    assert wrong == []


def test_views_and_api_hold_no_query() -> None:
    wrong = []
    for path in python_files(*OUR_FOLDERS):
        edge = path.stem in {"views", "api", "public", "home"} or {"views", "api"} & set(path.parts)
        if edge and re.search(r"\.objects\b|\._base_manager\b|cursor\(\)", path.read_text()):
            wrong.append(relative(path))
    assert wrong == [], "a query belongs in access.py, a write in actions.py"


CLOCKS = re.compile(
    r"\b(datetime|dt)\.now\(|\.utcnow\(|\bdate\.today\(|\btimezone\.now\(|\btime\.time\(|\btime\.monotonic\(|\btime\.sleep\("
)


def test_only_the_clock_reads_a_clock() -> None:
    wrong = [
        relative(path)
        for path in python_files(*OUR_FOLDERS, "config")
        if relative(path) != "common/clock.py" and CLOCKS.search(path.read_text())
    ]
    assert wrong == []


@pytest.mark.parametrize("stem", ["rules", "states", "wording"])
def test_rules_states_and_wording_are_pure(stem: str) -> None:
    wrong = []
    for path in python_files(*OUR_FOLDERS):
        if path.stem != stem and stem not in path.parts[:-1]:
            continue
        if relative(path) == "common/states.py":  # the door itself, not a table
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom) and node.level == 0
                else []
            )
            wrong += [
                f"{relative(path)}: {name}"
                for name in names
                if name.split(".")[0] in {"django", "rest_framework", "celery"}
            ]
    assert wrong == []


def test_no_signals_and_no_logic_in_save() -> None:
    wrong = [
        relative(path)
        for path in python_files(*OUR_FOLDERS)
        if re.search(r"post_save|pre_save\.connect|@receiver\(|def save\(self", path.read_text())
    ]
    assert wrong == []


def test_every_by_has_its_at() -> None:
    """Who and when are a pair: a `_by` column that names a person stands beside an `_at` of the same stem."""
    alone = []
    for model in our_models():
        if model._meta.label.endswith("Event"):
            continue  # history tables copy their model
        names = {field.name for field in model._meta.fields}
        for name in names:
            if (
                name.endswith("_by")
                and f"{name[:-3]}_at" not in names
                and isinstance(model._meta.get_field(name), models.ForeignKey)
            ):
                alone.append(f"{model._meta.label}.{name}")
    assert alone == []


def test_names_of_quantities_end_in_their_unit() -> None:
    """A bare `dose`, `weight`, `systolic` column is how a tenfold error begins (HZ-04)."""
    bare = {
        "dose",
        "weight",
        "height",
        "systolic",
        "diastolic",
        "pulse",
        "strength",
        "amount",
        "price",
        "duration",
        "spo2",
    }
    wrong = [
        f"{model._meta.label}.{field.name}"
        for model in our_models()
        for field in model._meta.fields
        if field.name in bare
        and isinstance(field, (models.IntegerField, models.DecimalField, models.FloatField))
    ]
    assert wrong == []


def test_pages_hold_no_inline_script_or_style() -> None:
    wrong = []
    for folder in ("templates", "templates_django"):
        for path in sorted((ROOT / folder).rglob("*.html")):
            text = path.read_text()
            if re.search(
                r"<script(?![^>]*\bsrc=)(?![^>]*application/(ld\+)?json)[^>]*>|<style|\sstyle=|\son\w+=\"",
                text,
            ):
                wrong.append(relative(path))
    assert wrong == []


def test_nothing_reaches_for_another_host() -> None:
    """PR-15: pages load from this host alone."""
    wrong = []
    for path in [
        *(ROOT / "templates").rglob("*.html"),
        *(ROOT / "static").rglob("*.css"),
        *(ROOT / "static").rglob("*.js"),
    ]:
        if re.search(
            r"(src|href|url\(|import|fetch\()\s*[=(]?\s*[\"']?(https?:)?//(?!www\.w3\.org)", path.read_text()
        ):
            for line in path.read_text().splitlines():
                if re.search(r"(src=|url\(|import |fetch\()[\"' ]*(https?:)?//", line):
                    wrong.append(f"{relative(path)}: {line.strip()[:80]}")
    assert wrong == []


def test_patient_pages_use_patient_templates_and_components_only() -> None:
    wrong = []
    for path in sorted((ROOT / "templates" / "patient").rglob("*.html")):
        for target in re.findall(
            r"{%-?\s*(?:extends|include|import|from)\s+[\"']([^\"']+)", path.read_text()
        ):
            if not target.startswith(("patient/", "components/")):
                wrong.append(f"{relative(path)} -> {target}")
    assert wrong == []


def test_each_delivery_of_settings_documents_its_variables() -> None:
    """Every variable the settings read is explained in docs/operations.md."""
    read = set(
        re.findall(
            r"(?:environ\.get|env_flag|secret)\(\s*\"([A-Z_0-9]+)\"",
            (ROOT / "config" / "settings.py").read_text(),
        )
    )
    explained = (ROOT / "docs" / "operations.md").read_text()
    assert sorted(name for name in read if name not in explained) == []


def test_a_process_starts_without_the_clients_it_may_never_need() -> None:
    """A pager that comes back pages the sooner for it: vendors' clients and the PDF writer load when they are used."""
    said = subprocess.run(
        [sys.executable, "-c", "import django, sys; django.setup(); print(*sys.modules)"],
        cwd=ROOT, env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(said.stdout.split())
    assert "notify.models" in loaded
    assert loaded & {"stripe", "twilio", "fpdf", "fontTools", "PIL", "pywebpush"} == set()
