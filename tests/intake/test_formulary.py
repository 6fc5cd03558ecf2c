"""The shipped list of medicines: codes that are plausible, names that are found misspelled, everything else kept for a clinician."""

import json
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings

from intake import access, actions
from intake.access.formulary import search_medicines
from intake.models import Medicine
from intake.rules.answers import rx_classes_fact
from intake.rules.facts import RX_CLASSES
from intake.rules.steps import formulary, known_medicine
from safety.models import SafetyHold
from tests.intake.builders import a_submitted_intake, an_accepted_intake

# RxNorm ingredient codes as the CPIC drug table gives them (github.com/cpicpgx, read 2026-11): a second source for our own list.
ORACLE = {
    "amitriptyline": "704", "atazanavir": "343047", "nevirapine": "53654", "oxcarbazepine": "32624", "atomoxetine": "38400", "bupropion": "42347", "carbamazepine": "2002", "carisoprodol": "2101",
    "citalopram": "2556", "clobazam": "21241", "clomipramine": "2597", "clopidogrel": "32968", "codeine": "2670", "desipramine": "3247",
    "diazepam": "3322", "doxepin": "3638", "duloxetine": "72625", "efavirenz": "195085", "erythromycin": "4053",
    "escitalopram": "321988", "fentanyl": "4337", "fluoxetine": "4493", "fluvoxamine": "42355", "imipramine": "5691",
    "lamotrigine": "28439", "methadone": "6813", "methylene blue": "6878", "methylphenidate": "6901", "midazolam": "6960",
    "mirtazapine": "15996", "modafinil": "30125", "morphine": "7052", "naltrexone": "7243", "nortriptyline": "7531",
    "olanzapine": "61381", "oxazepam": "7781", "oxycodone": "7804", "paroxetine": "32937", "phenytoin": "8183",
    "protriptyline": "8886", "sertraline": "36437", "tramadol": "10689", "trimipramine": "10834", "venlafaxine": "39786",
    "voriconazole": "121243", "vortioxetine": "1455099",
}  # fmt: skip
# The rest as the ingredients of the OHDSI vocabulary give them (github.com/OHDSI/KnowledgeBase, MeSH to RxNorm, read 2026-11).
OHDSI = {
    "alprazolam": "596", "aminophylline": "689", "amoxapine": "722", "amphetamine": "725", "armodafinil": "641465",
    "baclofen": "1292", "benzphetamine": "1422", "bosentan": "75207", "buprenorphine": "1819", "butalbital": "19860",
    "butorphanol": "1841", "carbinoxamine": "20220", "cetirizine": "20610", "chlordiazepoxide": "2356",
    "chlorpheniramine": "2400", "chlorzoxazone": "2410", "clarithromycin": "21212", "clonazepam": "2598",
    "clonidine": "2599", "clorazepate": "2353", "cobicistat": "1306284", "cyclobenzaprine": "21949",
    "cyproheptadine": "3013", "dantrolene": "3105", "darunavir": "460132", "dexmethylphenidate": "352372",
    "dextroamphetamine": "3288", "diethylpropion": "3389", "diltiazem": "3443", "dimenhydrinate": "3444",
    "diphenhydramine": "3498", "doxylamine": "3642", "enzalutamide": "1307298", "estazolam": "4077",
    "eszopiclone": "461016", "fluconazole": "4450", "flurazepam": "4501", "fosphenytoin": "72236",
    "gabapentin": "25480", "guanfacine": "40114", "hydrocodone": "5489", "hydromorphone": "3423",
    "hydroxyzine": "5553", "isocarboxazid": "6011", "itraconazole": "28031", "ketoconazole": "6135",
    "levorphanol": "6378", "linezolid": "190376", "lisdexamfetamine": "700810", "lithium": "6448",
    "lorazepam": "6470", "maprotiline": "6646", "meclizine": "6676", "meperidine": "6754", "meprobamate": "6760",
    "metaxalone": "59078", "methamphetamine": "6816", "methocarbamol": "6845", "milnacipran": "588250",
    "mitotane": "7004", "nalbuphine": "7238", "nefazodone": "31565", "nelfinavir": "134527", "orphenadrine": "7715",
    "oxymorphone": "7814", "pentazocine": "8001", "pentobarbital": "8004", "perampanel": "1356552",
    "phendimetrazine": "33272", "phenelzine": "8123", "phenobarbital": "8134", "phentermine": "8152",
    "phenylephrine": "8163", "posaconazole": "282446", "pregabalin": "187832", "primidone": "8691",
    "procarbazine": "8702", "promethazine": "8745", "pseudoephedrine": "8896", "quazepam": "35185",
    "quetiapine": "51272", "ramelteon": "596205", "rasagiline": "134748", "rifabutin": "55672", "rifampin": "9384",
    "rifapentine": "35617", "ritonavir": "85762", "secobarbital": "9624", "selegiline": "9639",
    "tapentadol": "787390", "telithromycin": "274786", "temazepam": "10355", "theophylline": "10438",
    "thiotepa": "10473", "ticlopidine": "10594", "tizanidine": "57258", "tranylcypromine": "10734",
    "trazodone": "10737", "triazolam": "10767", "verapamil": "11170", "vilazodone": "1086769", "viloxazine": "11196",
    "zaleplon": "74667", "zolpidem": "39993",
}  # fmt: skip
# Newer ones as ingredients (IN) of RxNorm's prescribable content of late 2025; it codes the oxybate of Xyrem, not its sodium salt.
RELEASE = {
    "daridorexant": "2591497", "gepirone": "2672253", "lemborexant": "2272403", "levomilnacipran": "1433212",
    "safinamide": "1922448", "serdexmethylphenidate": "2562176", "sodium oxybate": "2387302",
    "solriamfetol": "2121751", "zuranolone": "2669905",
}  # fmt: skip
# Salts, brands and clinical drugs have codes too; these are not of ingredients in our list and must not slip in:
# 9899 is sodium oxybate and 1101333 gabapentin enacarbil, salt and prodrug of what RxNorm calls the ingredient.
NOT_INGREDIENTS_OF_OURS = {"6130", "266856", "10831", "284635", "9899", "1101333"}
CLASSES_THAT_MATTER = {
    "maoi": {
        "phenelzine",
        "tranylcypromine",
        "isocarboxazid",
        "selegiline",
        "rasagiline",
        "linezolid",
        "methylene blue",
        "moclobemide",
        "safinamide",
        "procarbazine",
    },
    # The protocol's own words: amphetamine, methylphenidate, modafinil, ADHD stimulants; decongestants raise pressure as well.
    "stimulant": {
        "amphetamine",
        "dextroamphetamine",
        "lisdexamfetamine",
        "methamphetamine",
        "methylphenidate",
        "dexmethylphenidate",
        "modafinil",
        "armodafinil",
        "phentermine",
        "diethylpropion",
        "pseudoephedrine",
        "phenylephrine",
        "solriamfetol",
    },
    "benzo": {
        "alprazolam",
        "clonazepam",
        "diazepam",
        "lorazepam",
        "temazepam",
        "quazepam",
        "zolpidem",
        "eszopiclone",
        "zaleplon",
    },
    "opioid": {
        "buprenorphine",
        "fentanyl",
        "hydrocodone",
        "methadone",
        "morphine",
        "oxycodone",
        "tramadol",
        "kratom",
    },
    "cns_depressant": {
        "gabapentin",
        "pregabalin",
        "baclofen",
        "carisoprodol",
        "cyclobenzaprine",
        "metaxalone",
        "tizanidine",
        "diphenhydramine",
        "hydroxyzine",
        "phenobarbital",
        "butalbital",
        "sodium oxybate",
    },
    "cyp_inhibitor": {
        "clarithromycin",
        "ketoconazole",
        "itraconazole",
        "posaconazole",
        "ritonavir",
        "cobicistat",
        "ticlopidine",
        "clopidogrel",
        "grapefruit juice",
    },
    "cyp_inducer": {"carbamazepine", "phenytoin", "rifampin", "rifapentine", "apalutamide", "St John's wort"},
    "lamotrigine": {"lamotrigine"},
    "naltrexone": {"naltrexone"},
    "theophylline": {"theophylline", "aminophylline"},
    "antidepressant": {"sertraline", "venlafaxine", "bupropion", "trazodone", "lithium"},
}


def test_a_brand_leads_to_all_classes_of_what_is_in_it():
    """HZ-12: a mixture under one trade name counts for each of its parts."""
    for brand, classes in {
        "Symbyax": {"cns_depressant", "antidepressant"}, "Contrave": {"naltrexone", "antidepressant"},
        "Limbitrol": {"benzo", "antidepressant"}, "Lybalvi": {"cns_depressant", "naltrexone"}, "Genvoya": {"cyp_inhibitor"},
    }.items():  # fmt: skip
        assert set(known_medicine(brand).classes) == classes, brand


@pytest.mark.parametrize(
    ("typed", "classes"),
    [
        ("sertraline and theophylline", "antidepressant theophylline"), ("Zoloft 50 mg, Nardil 15 mg", "antidepressant maoi"),
        ("sertraline + tramadol", "antidepressant opioid"), ("Prozac 20mg and Xanax", "antidepressant benzo"),
        ("Zyrtec and methadone 10mg", "cns_depressant opioid"), ("promethazine with codeine", "cns_depressant opioid"),
        ("Fioricet with codeine", "cns_depressant opioid"), ("fluoxetine olanzapine", "antidepressant cns_depressant"),
        ("fluoxetine-olanzapine 6-25", "antidepressant cns_depressant"), ("sertraline/St. John's wort", "antidepressant cyp_inducer"),
        ("oxycodone-acetaminophen 5-325", "opioid other"), ("Zyrtec-D 12 hour", "cns_depressant other"),
        ("Zoloft and the tea from the market", "antidepressant other"), ("aspirin, methadone", "opioid other"),
    ],
)  # fmt: skip
def test_a_line_with_two_medicines_counts_for_both_and_a_word_we_do_not_know_is_read(typed, classes):
    """HZ-12."""
    assert rx_classes_fact(known_medicine(typed).classes) == classes


@pytest.mark.parametrize(
    ("typed", "generic"),
    [
        ("Zoloft 50 mg twice a day", "sertraline"), ("Prozac (fluoxetine) 20mg, 1 capsule in the morning", "fluoxetine"),
        ("Adderall XR 20", "amphetamine"), ("lithium 300 mg x 2", "lithium"), ("Theo-24 300mg", "theophylline"),
        ("lamotrigine 0.5 tab nightly for mood", "lamotrigine"), ("bupropion HCl XL 150-mg", "bupropion"),
    ],
)  # fmt: skip
def test_words_about_the_dose_leave_one_medicine_what_it_is(typed, generic):
    assert known_medicine(typed) is known_medicine(generic)


def test_every_code_is_a_number_of_an_ingredients_length_and_stands_once():
    codes = [one.rxnorm for one in formulary() if one.rxnorm]
    assert len(codes) >= 160
    assert all(code.isascii() and code.isdigit() and 3 <= len(code) <= 7 and code[0] != "0" for code in codes)
    assert len(codes) == len(set(codes)) and not set(codes) & NOT_INGREDIENTS_OF_OURS


@pytest.mark.parametrize(
    ("name", "code"), (ORACLE | OHDSI | RELEASE).items(), ids=list(ORACLE | OHDSI | RELEASE)
)
def test_a_code_is_the_one_in_a_published_table(name, code):
    assert known_medicine(name).rxnorm == code


def without_a_code_or_a_reason(rows):
    """Names of entries that have neither a code nor a sentence why, or both."""
    return [
        row["name"]
        for row in rows
        if bool(row.get("rxnorm")) == bool((row.get("rxnorm_reason") or "").strip()) or "rxnorm" not in row
    ]


def test_every_entry_has_a_code_or_says_why_it_has_none():
    rows = json.loads(Path(settings.BASE_DIR / "intake/data/formulary.json").read_text())["medicines"]
    assert without_a_code_or_a_reason(rows) == []
    spoilt = [
        {"name": "neither", "rxnorm": None},
        {"name": "empty", "rxnorm": None, "rxnorm_reason": "  "},
        {"name": "absent", "rxnorm_reason": "A plant."},
        {"name": "both", "rxnorm": "704", "rxnorm_reason": "A plant."},
    ]
    assert without_a_code_or_a_reason(spoilt) == ["neither", "empty", "absent", "both"]
    for row in rows:
        if " and " in row["name"]:
            assert row["rxnorm"] is None and "Several ingredients" in row["rxnorm_reason"]


@pytest.mark.django_db
def test_why_a_code_is_missing_is_never_shown_to_the_person_who_types_a_medicine(client_for, alice, at):
    actions.start_intake(alice.patient, by=alice, at=at)
    for name in ("kratom", "apalutamide", "Contrave"):
        page = client_for(alice).get("/intake/medicines/", {"q": name}, follow=True).content.decode()
        assert (
            name in page
            and "RxNorm" not in page
            and "Several ingredients" not in page
            and ">None<" not in page
        )


def test_mixtures_and_plants_have_no_ingredient_code():
    for name in ("naltrexone and bupropion", "dextromethorphan and bupropion", "kratom", "grapefruit juice"):
        assert known_medicine(name).rxnorm == ""


@pytest.mark.parametrize(("one", "names"), CLASSES_THAT_MATTER.items(), ids=list(CLASSES_THAT_MATTER))
def test_every_class_that_matters_has_its_well_known_members(one, names):
    assert one in RX_CLASSES
    for name in names:
        assert one in known_medicine(name).classes, name


database = pytest.mark.django_db


@database
@pytest.mark.parametrize(
    ("typed", "generic"),
    [
        ("zolof", "sertraline"), ("Zolfot", "sertraline"), ("sertralin", "sertraline"), ("lamictil", "lamotrigine"),
        ("xanex", "alprazolam"), ("nardill", "phenelzine"), ("oxycotin", "oxycodone"), ("wellbutrin xl 300", "bupropion"),
        ("adder", "amphetamine"), ("KLONAPIN", "clonazepam"), ("theophyline", "theophylline"), ("st johns wort", "St John's wort"),
        ("emsam", "selegiline"), ("paxlovid", "ritonavir"), ("tramadole", "tramadol"), ("skelaxen", "metaxalone"),
        ("trileptol", "oxcarbazepine"), ("posaconozole", "posaconazole"), ("sudafed pe", "phenylephrine"), ("sublacade", "buprenorphine"),
        ("symbiax", "olanzapine and fluoxetine"), ("tylenol pm", "acetaminophen and diphenhydramine"),
    ],
)  # fmt: skip
def test_a_misspelled_or_half_typed_name_finds_its_medicine_first(typed, generic):
    assert search_medicines(typed)[0].generic == generic


@database
@pytest.mark.parametrize(
    "typed", ["", "x", "\x00", "🦊🦊", "%", "'; drop table", "qqqqqqqq", "x" * 10_000, "\ud800ab"]
)
def test_anything_else_finds_nothing_and_breaks_nothing(typed):
    assert search_medicines(typed) == []


@database
def test_the_search_is_one_query(django_assert_num_queries):
    with django_assert_num_queries(1):
        search_medicines("zolof")


@pytest.fixture
def browser(client_for, alice, protocol_version, clock_at, at):
    with clock_at(at):
        client = client_for(alice)
        client.post("/intake/begin/", {"intent": str(uuid.uuid4())})
        yield client


def add(client, **typed):
    return client.post("/intake/medicines/", {"intent": str(uuid.uuid4()), **typed})


@database
def test_the_page_searches_without_javascript(browser):
    text = browser.get("/intake/medicines/", {"q": "lamictil"}).content.decode()
    assert "Lamictal" in text and "lamotrigine" in text and 'value="Lamictal"' in text
    assert (
        "as you typed it" in browser.get("/intake/medicines/", {"q": "Grandmother's tonic"}).content.decode()
    )


@database
def test_a_misspelled_medicine_is_asked_about_before_it_counts_as_unknown(browser):
    """HZ-12: a benzodiazepine with a typing slip is not filed under “other”."""
    response = add(browser, name="xanex", dose_text="0.5 mg at night")
    text = response.content.decode()
    assert response.status_code == 422 and "Did you mean" in text and "Xanax" in text
    assert not Medicine.objects.exists() and 'value="0.5 mg at night"' in text
    assert add(browser, name="xanex", instead="Xanax", dose_text="0.5 mg at night").status_code == 302
    assert Medicine.objects.get().rx_classes == ["benzo"]


@database
def test_as_typed_is_always_possible_and_a_clinician_reads_it(browser):
    assert add(browser, name="xanex", as_typed="xanex").status_code == 302
    row = Medicine.objects.get()
    assert (row.name, row.rx_classes, row.rxnorm) == ("xanex", ["other"], "")


@database
def test_the_answer_to_one_word_is_no_answer_to_another(browser):
    assert add(browser, name="klonapin", as_typed="xanex").status_code == 422


@database
def test_a_medicine_nobody_knows_sends_the_intake_to_review(alice, at, protocol_version):
    """HZ-12: free text is an answer that is missing until a clinician has read it, whatever else is on the list."""
    intake = a_submitted_intake(alice, at, medicines=("Grandmother's tonic", "Xanax"))
    assert (intake.outcome, intake.reasons) == ("review", ["E58", "E71"])
    assert intake.evaluations.get().missing == ["rx_classes"]


@database
def test_the_second_medicine_of_a_line_reaches_the_rules(alice, at, protocol_version):
    """HZ-12: theophylline written behind sertraline is theophylline."""
    intake = a_submitted_intake(alice, at, medicines=("sertraline and theophylline",))
    assert (intake.outcome, intake.reasons) == ("exclude", ["E65", "E66"])


@database
def test_known_medicines_without_a_rule_against_them_are_no_review(alice, at, protocol_version):
    assert a_submitted_intake(alice, at, medicines=("Zoloft",)).outcome == "ok"


@database
def test_each_unknown_medicine_during_care_is_read_by_a_psychiatrist_before_the_next_dose(
    alice, dana, at, protocol_version
):
    """HZ-12: the second one too, after the first was settled; one that is known and harmless holds nothing."""
    intake = an_accepted_intake(alice, dana, at)
    day = timedelta(days=1)
    actions.add_medicine(intake.patient, name="Zoloft", dose_text="", by=alice, at=at + day)
    assert access.eligibility_stands(intake.patient)
    for number, name in enumerate(("A tea from the market", "Another tea"), start=1):
        actions.add_medicine(intake.patient, name=name, dose_text="", by=alice, at=at + 2 * number * day)
        assert not access.eligibility_stands(intake.patient), name
        assert SafetyHold.objects.filter(reason_code="eligibility_reopened", cleared_at=None).exists()
        actions.settle(intake.patient, note="Read, harmless.", by=dana, at=at + (2 * number + 1) * day)
        assert access.eligibility_stands(intake.patient)
    actions.add_medicine(intake.patient, name="Prozac", dose_text="", by=alice, at=at + 9 * day)
    assert access.eligibility_stands(intake.patient)
