"""The look and the menu of the administration. Colours are the tokens of static/css/tokens.css, as scales."""

from typing import Any

from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse


def _link(name: str) -> Any:
    def found(request: Any) -> str:
        try:
            return reverse(name)
        except NoReverseMatch:
            return reverse("admin:index")

    return found


def _item(title: str, icon: str, name: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": _link(name)}


# Ink and paper from warm white to deep ink; one accent, deep teal.
BASE = {
    "50": "oklch(97.5% .010 83)", "100": "oklch(94.8% .014 83)", "200": "oklch(89.5% .018 83)", "300": "oklch(83% .020 83)",
    "400": "oklch(66% .018 85)", "500": "oklch(52% .015 200)", "600": "oklch(43% .018 205)", "700": "oklch(35% .020 208)",
    "800": "oklch(26% .018 210)", "900": "oklch(20% .016 212)", "950": "oklch(15% .014 212)",
}  # fmt: skip
PRIMARY = {
    "50": "oklch(97% .012 190)", "100": "oklch(93% .022 190)", "200": "oklch(87% .040 190)", "300": "oklch(78% .062 190)",
    "400": "oklch(66% .074 192)", "500": "oklch(53% .078 194)", "600": "oklch(43% .070 196)", "700": "oklch(38% .062 197)",
    "800": "oklch(33% .052 198)", "900": "oklch(28% .044 199)", "950": "oklch(20% .034 200)",
}  # fmt: skip

# The two signals of the banner, alike in both themes.
SIGNALS = {"act": {"600": "#a3201d"}, "pause": {"600": "#74480a"}}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Hearthside administration",
    "SITE_HEADER": "Hearthside",
    "SITE_SUBHEADER": "Administration",
    "SITE_URL": "/home/",
    "SITE_SYMBOL": "fireplace",
    "SITE_ICON": lambda request: static("img/hearth.svg"),
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "sizes": "any",
            "type": "image/svg+xml",
            "href": lambda request: static("img/hearth.svg"),
        }
    ],
    "STYLES": [lambda request: static("css/admin.css")],
    "DASHBOARD_CALLBACK": "portal.work.dashboard",
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": True,
    "BORDER_RADIUS": "8px",
    "COLORS": {"base": BASE, "primary": PRIMARY, **SIGNALS},
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": [
            {
                "title": "People",
                "items": [
                    _item("Accounts", "group", "admin:accounts_user_changelist"),
                    _item(
                        "Role requests",
                        "how_to_reg",
                        "admin:accounts_rolegrant_changelist",
                    ),
                    _item("Patients", "personal_injury", "admin:accounts_patient_changelist"),
                    _item("Care teams", "diversity_1", "admin:accounts_careteam_changelist"),
                    _item("Licences", "verified", "admin:accounts_licence_changelist"),
                    _item("Licences entered", "fact_check", "admin:accounts_credentialrequest_changelist"),
                    _item("DEA registrations", "badge", "admin:accounts_dearegistration_changelist"),
                    _item("Device tokens", "key", "admin:accounts_devicetoken_changelist"),
                ],
            },
            {
                "title": "Protocol",
                "separator": True,
                "items": [
                    _item("Protocol versions", "rule", "admin:common_protocolversion_changelist"),
                    _item("Eligibility rules", "checklist", "admin:intake_rulecount_changelist"),
                    _item("Dry runs", "science", "admin:intake_dryrun_changelist"),
                ],
            },
            {
                "title": "Safety and messages",
                "separator": True,
                "items": [
                    _item("Alerts", "crisis_alert", "admin:safety_alert_changelist"),
                    _item("On-call shifts", "schedule", "admin:safety_oncallshift_changelist"),
                    _item("Holds", "front_hand", "admin:safety_safetyhold_changelist"),
                    _item("Outbox", "outbox", "admin:notify_outboxmessage_changelist"),
                    _item("Heartbeats", "monitor_heart", "admin:notify_heartbeat_changelist"),
                ],
            },
            {
                "title": "What happened",
                "separator": True,
                "items": [
                    _item("Audit trail", "history_edu", "admin:common_auditentry_changelist"),
                    _item("State events", "timeline", "admin:common_stateevent_changelist"),
                    _item("Intents", "fingerprint", "admin:common_clientintent_changelist"),
                ],
            },
            {
                "title": "Back to work",
                "separator": True,
                "items": [_item("Overview", "home", "portal:home")],
            },
        ],
    },
}
