"""The gallery shows every component: a macro that is missing from it fails here."""

import re
from pathlib import Path

import pytest
from django import forms
from django.conf import settings
from django.template import engines
from django.test import Client, RequestFactory
from django.utils.safestring import mark_safe

from portal.gallery import SampleForm, sample

COMPONENTS = Path(settings.BASE_DIR) / "templates" / "components"
SHOWN = ("ui.html", "forms.html", "clinical.html", "charts.html", "icons.html")
# Parts that only other macros call: seen through them.
INNER = {"field_target", "error_text"}


def macros_of(name: str) -> set[str]:
    found = re.findall(r"{%-? macro ([a-z]\w*)\(", (COMPONENTS / name).read_text())
    return set(found) - INNER


@pytest.fixture
def module():
    """The macros of one component file, callable."""
    return lambda name: engines["jinja2"].env.get_template(f"components/{name}").module


@pytest.mark.parametrize("name", SHOWN)
def test_the_gallery_shows_every_macro(name: str) -> None:
    gallery = (COMPONENTS / "gallery.html").read_text()
    shown = set(re.findall(r"(?:{{ |{% call |\()(\w+)\(", gallery)) | {"help_bar"}
    assert macros_of(name) - shown == set()


def test_the_gallery_renders_for_anyone(client: Client, db: None) -> None:
    page = client.get("/components/")
    assert page.status_code == 200
    text = page.content.decode()
    assert text.count('class="help-bar"') == 1
    assert "10 of 12 are met" in text
    assert "All 12 are met" in text


def test_no_component_carries_an_inline_style_or_a_running_script() -> None:
    """The content security policy would refuse both without a word."""
    for template in (Path(settings.BASE_DIR) / "templates").rglob("*.html"):
        text = template.read_text()
        assert not re.search(r"<[a-z][^>]*\sstyle=", text), template
        assert not re.search(r"<[a-z][^>]*\son[a-z]+=", text), template
        assert "<style" not in text, template
        for tag in re.findall(r"<script[^>]*>", text):
            assert "src=" in tag or "application/json" in tag, template


def test_a_field_with_an_error_ties_the_words_to_the_control(module) -> None:
    form = SampleForm({"systolic_mmhg": "500"})
    html = str(module("forms.html").field(form["systolic_mmhg"]))
    control = re.search(r"<input[^>]*>", html).group(0)
    assert 'aria-describedby="id_systolic_mmhg_hint id_systolic_mmhg_error"' in control
    assert 'aria-invalid="true"' in control
    assert 'value="500"' in control, "what was typed is kept"
    assert 'id="id_systolic_mmhg_hint"' in html and 'id="id_systolic_mmhg_error"' in html
    assert "mmHg" in html


def test_a_field_without_error_says_nothing_of_errors(module) -> None:
    html = str(module("forms.html").field(SampleForm()["full_name"]))
    assert "aria-invalid" not in html and "field__error" not in html
    assert 'aria-describedby="id_full_name_hint"' in html


def test_the_summary_on_top_links_to_each_field_in_the_same_words(module) -> None:
    form = SampleForm({"full_name": "Alice", "email": "no", "systolic_mmhg": "500"})
    summary = str(module("forms.html").error_summary(form))
    fields = str(module("forms.html").form_fields(form))
    links = re.findall(r'<a href="#([^"]+)">([^<]+)</a>', summary)
    assert len(links) == len(form.errors)
    for target, words in links:
        assert f'id="{target}"' in fields, target
        assert words in fields


def test_a_form_without_errors_has_no_summary(module) -> None:
    assert str(module("forms.html").error_summary(SampleForm())).strip() == ""


@pytest.mark.parametrize("name", list(SampleForm().fields))
def test_every_kind_of_field_has_a_label_and_keeps_what_was_chosen(module, name: str) -> None:
    values = {
        "full_name": "Alice <b>", "email": "a@b.example", "systolic_mmhg": "128", "born_on": "1988-04-03", "wake_at": "07:30",
        "state": "NY", "interest": "2", "pace": "slow", "medicines": ["benzo"], "story": "A & B", "agree": "on", "mood": "7",
    }  # fmt: skip
    html = str(module("forms.html").field(SampleForm(values)[name]))
    assert "<label" in html or "<legend" in html
    kept = {
        "full_name": 'value="Alice &lt;b&gt;"', "email": 'value="a@b.example"', "systolic_mmhg": 'value="128"',
        "born_on": 'type="date" name="born_on" id="id_born_on" value="1988-04-03"', "wake_at": 'value="07:30"',
        "state": 'value="NY" selected', "interest": 'value="2" id="id_interest_2" checked',
        "pace": 'value="slow" id="id_pace_1" checked', "medicines": 'value="benzo" id="id_medicines_1" checked',
        "story": "A &amp; B</textarea>", "agree": "checked", "mood": 'value="7" id="id_mood_7" checked',
    }  # fmt: skip
    assert kept[name] in html


def test_a_group_of_choices_is_a_fieldset_with_a_legend(module) -> None:
    html = str(module("forms.html").field(SampleForm()["interest"]))
    assert html.count("<fieldset") == html.count("<legend") == 1
    assert html.count('type="radio"') == 4


def test_hidden_fields_are_written_and_left_out_fields_are_not(module) -> None:
    class Small(forms.Form):
        version = forms.CharField(widget=forms.HiddenInput, initial="7")
        name = forms.CharField()
        other = forms.CharField()

    html = str(module("forms.html").form_fields(Small(), leave_out=("other",)))
    assert 'type="hidden" name="version" value="7"' in html
    assert 'name="name"' in html and 'name="other"' not in html


def test_words_from_people_are_escaped_and_help_text_with_markup_is_not(module) -> None:
    class Small(forms.Form):
        name = forms.CharField(label="<i>x</i>", help_text=mark_safe("<b>bold</b>"))

    html = str(module("forms.html").field(Small()["name"]))
    assert "&lt;i&gt;x&lt;/i&gt;" in html and "<b>bold</b>" in html
    assert "&lt;script&gt;" in str(module("clinical.html").bubble("Bob", "<script>alert(1)</script>"))


def test_a_status_is_a_word_and_a_picture_never_a_colour_alone(module) -> None:
    for kind in ("neutral", "info", "ok", "pause", "act", "stop"):
        html = str(module("ui.html").pill("Waiting", kind))
        assert "Waiting" in html and "<svg" in html


def test_only_act_now_is_announced_as_an_alert(module) -> None:
    assert 'role="alert"' in str(module("ui.html").notice("Call 911.", "act"))
    assert "Act now" in str(module("ui.html").notice("Call 911.", "act"))
    for level in ("info", "ok", "pause"):
        assert 'role="alert"' not in str(module("ui.html").notice("Saved.", level))


def test_a_bar_past_its_promise_says_so_in_words(module) -> None:
    bar = module("ui.html").age_bar
    assert "later than promised" not in str(bar(239, 240, "3 h 59 min"))
    assert "later than promised" in str(bar(240, 240, "4 h"))


def test_charts_carry_every_number_as_a_table_and_survive_missing_scores(module) -> None:
    context = sample()
    html = str(module("charts.html").score_chart(context["scores"], context["doses"]))
    table = html[html.index("<table") :]
    assert table.count("<tr>") == 1 + len(context["scores"]) + len(context["doses"])
    assert "missing" in table
    pressure = str(module("charts.html").bp_chart(context["pressures"], context["limits"]))
    for point in context["pressures"]:
        assert f'<td class="is-number">{point["systolic_mmhg"]}</td>' in pressure
    one = str(module("charts.html").bp_chart(context["pressures"][:1], context["limits"]))
    assert "One reading." in one
    assert "No reading yet." in str(module("charts.html").bp_chart([], context["limits"]))
    assert "No score yet." in str(module("charts.html").score_chart([]))


def test_a_form_posts_with_csrf_and_intent(module) -> None:
    html = str(module("forms.html").one_button("/x/", "abc-1", mark_safe('<input name="csrf">'), "Claim"))
    assert 'method="post"' in html and '<input name="csrf">' in html
    assert '<input type="hidden" name="intent" value="abc-1">' in html


@pytest.mark.parametrize("layout", ["public", "patient", "staff", "session", "sitter"])
def test_every_layout_keeps_help_on_top_and_says_what_happens_next(
    layout: str, rf: RequestFactory, db: None
) -> None:
    """PR-06: help stands in the page itself, before anything else, in every layout."""
    text = (
        "{% extends 'components/layout_" + layout + ".html' %}{% block title %}T{% endblock %}"
        "{% block main %}<h1>One thing</h1>{% endblock %}{% block next_step %}Dana answers today.{% endblock %}"
    )
    template = engines["jinja2"].from_string(text)
    html = template.render({"form": None}, rf.get("/"))
    assert html.index('class="help-bar"') < html.index("<h1>")
    for link in ('href="tel:988"', 'href="tel:911"'):
        assert link in html
    assert "Dana answers today." in html
    assert html.count("<h1>") == html.count("<main") == 1


def test_an_error_is_in_the_title_and_the_summary_takes_the_focus(rf: RequestFactory, db: None) -> None:
    template = engines["jinja2"].from_string(
        "{% extends 'components/layout_patient.html' %}{% block title %}Your name{% endblock %}{% block main %}<h1>x</h1>{% endblock %}"
    )
    html = template.render({"form": SampleForm({})}, rf.get("/"))
    assert "<title>Error: Your name" in html
    assert "autofocus" in html and html.index("error-summary") < html.index("<h1>")


def test_the_staff_layout_shows_a_stale_crisis_lane_in_red_above_everything(rf: RequestFactory) -> None:
    """HZ-08: nobody works on while pages are not going out."""
    env = engines["jinja2"].env
    text = "{% extends 'components/layout_staff.html' %}{% block title %}T{% endblock %}{% block main %}<h1>Queue</h1>{% endblock %}"
    html = env.from_string(text).render(
        lane_alert="The pager has not answered for 45 s.", nav_items=[], user_role="coach"
    )
    assert '<div id="urgent" role="alert"' in html and '<div class="lane">' in html
    assert html.index("The pager has not answered") < html.index("<h1>")
    calm = env.from_string(text).render(lane_alert="", nav_items=[], user_role="coach")
    assert 'class="lane"' not in calm
