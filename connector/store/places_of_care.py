"""Where surveys, returns and complaints know people (`connector.store.places`)."""

from __future__ import annotations

from connector.store.place import Place
from connector.store.place import words as _words

CARE: tuple[Place, ...] = (
    Place(
        "survey_asks",
        "person_surveys",
        "erase_surveys",
        "wipe_survey_asks",
        _words("ask_id order_id email_key customer_id score band comment answered_at revised_at"),
        _words("survey kind flow_id asked_at revisions"),
    ),
    Place(
        "care_holds",
        "person_care",
        "erase_care",
        "wipe_care_holds",
        _words("hold_id address_key order_id until"),
        _words("reason since ended_at ended_by"),
    ),
    Place(
        "case_entries",
        "person_case_entries",
        "erase_case_entries",
        "wipe_case_entries",
        _words("case_id body"),
        _words("seq at what by_whom"),
    ),
    Place(
        "case_photos",
        "person_case_photos",
        "erase_case_photos",
        "wipe_case_photos",
        _words("photo_id case_id picture small"),
        _words("position width height created_at"),
    ),
    Place(
        "cases",
        "person_cases",
        "erase_cases",
        "wipe_cases",
        _words("case_id order_id email_key customer_id lines reason wish body locale platform_id"),
        _words("kind state opened_at updated_at answered_at"),
    ),
)
