"""Where people are in what was taken out for advertising platforms."""

from __future__ import annotations

from connector.store.place import Place, words

AUDIENCE_PLACES: tuple[Place, ...] = (
    # What a platform holds: whose it was goes at once, the digest when the platform was told of it (GDPR Art. 19).
    Place(
        "audience_members",
        "person_audience",
        "erase_audience",
        "wipe_audience_members",
        words("name"),
        words("platform segment member phone since gone_at"),
    ),
    Place(
        "audience_exports",
        None,
        None,
        "wipe_audience_exports",
        (),
        words("export_id at platform segment by_whom ground people removed left_out"),
    ),
)
