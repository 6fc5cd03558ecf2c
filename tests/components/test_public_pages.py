"""The pages that a stranger reads: open to all, honest about what is known, help in each."""

import re

import pytest
from django.test import Client

from tests.intake.test_assessment_pages import walk

PAGES = ("/", "/how-it-works/", "/evidence/", "/pricing/", "/help/", "/privacy/", "/components/")


def words(client: Client, path: str) -> str:
    """The text that a person reads, without markup."""
    html = client.get(path).content.decode()
    html = re.sub(r"<(script|svg|head)\b.*?</\1>", " ", html, flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


@pytest.mark.django_db
@pytest.mark.parametrize("path", PAGES)
def test_a_stranger_reads_it_without_logging_in(client: Client, path: str) -> None:
    page = client.get(path)
    assert page.status_code == 200
    html = page.content.decode()
    assert 'href="tel:988"' in html and 'href="tel:911"' in html
    assert html.count("<h1") == 1
    assert "What happens next" in html


@pytest.mark.django_db
def test_each_page_has_a_title_of_its_own(client: Client) -> None:
    titles = [
        re.search(r"<title>(.*?)</title>", client.get(path).content.decode()).group(1) for path in PAGES
    ]
    assert len(set(titles)) == len(PAGES)


@pytest.mark.django_db
@pytest.mark.parametrize("path", PAGES)
def test_no_page_claims_approval_or_safety(client: Client, path: str) -> None:
    text = words(client, path).lower()
    for claim in (
        "safe and effective",
        "clinically proven",
        "breakthrough",
        "cure",
        "risk-free",
        "only today",
        "limited time",
    ):
        assert claim not in text, claim
    # The words may stand only in the question that is answered with no.
    for found in re.finditer(r"fda-approved", text):
        assert "is this ketamine" in text[max(0, found.start() - 40) : found.start()], text[
            found.start() - 60 : found.end() + 40
        ]


@pytest.mark.django_db
def test_the_answer_to_the_approval_question_is_no(client: Client) -> None:
    text = words(client, "/how-it-works/")
    assert "Is this ketamine FDA-approved for my condition? No." in text


@pytest.mark.django_db
def test_benefits_stand_beside_side_effects_with_their_denominators(client: Client) -> None:
    for path in ("/", "/evidence/"):
        text = words(client, path)
        assert "62.8 %" in text and "of people with complete data" in text
        assert "1,247" in text and "11,441" in text
        assert "Open-label" in text
        assert re.search(r"side effect", text, re.I)
    home = words(client, "/")
    assert home.index("Benefits") < home.index("Side effects") < home.index("Benefits") + 600


@pytest.mark.django_db
def test_the_answer_to_the_assessment_says_of_whom_the_number_of_the_study_is(client: Client) -> None:
    """Those who left without data are in neither share."""
    walk(client)
    text = words(client, "/assessment/result/")
    assert "1,247" in text and "side effect" in text.lower()
    assert "62.8 % of people with complete data" in text and "37.2 % of them did not" in text
    assert not re.search(r"\b6[23] in 100\b|\b37 did not", text)


@pytest.mark.django_db
def test_the_six_questions_are_asked_and_answered(client: Client) -> None:
    html = client.get("/how-it-works/").content.decode()
    section = html[html.index('id="six-questions"') :]
    assert section.count("<h3>") == 6


@pytest.mark.django_db
def test_a_page_that_is_not_there_says_so_kindly_and_offers_a_way_on(client: Client) -> None:
    page = client.get("/no-such-page/")
    assert page.status_code in (302, 404)
    if page.status_code == 404:
        assert "tel:988" in page.content.decode()


def test_the_page_for_our_own_failure_needs_nothing_that_could_fail_again(rf) -> None:
    """No database, no user, no context processor: help must still show."""
    from portal.public import server_error

    page = server_error(rf.get("/"))
    html = page.content.decode()
    assert page.status_code == 500
    assert 'href="tel:988"' in html and 'href="tel:911"' in html
    assert "not something you did" in html
