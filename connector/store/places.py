"""The one list of where people are: every table and column, personal or not, and how it is shown, erased and wiped.

A test compares it with the schema: a new column must be declared here as personal (and be reached by an erasure) or as
impersonal, or the suite fails.
"""

from __future__ import annotations

from connector.store.audience_places import AUDIENCE_PLACES
from connector.store.place import Place
from connector.store.place import words as _words
from connector.store.places_of_care import CARE
from connector.store.review_places import REVIEW_PLACES

# In the order of erasing: what names the rows of others goes last.
PLACES: tuple[Place, ...] = (
    Place("run_traces", None, "erase_run_traces", "wipe_run_traces", _words("run_id"), _words("context at")),
    Place(
        "journal",
        "person_journal",
        "erase_journal",
        "wipe_journal",
        _words("run_id detail"),
        _words("seq at step_id what"),
    ),
    Place(
        "effect_contents",
        "person_contents",
        "erase_contents",
        "wipe_effect_contents",
        _words("effect_id content"),
        _words("encoding"),
    ),
    Place("effect_ways", None, "erase_effect_ways", "wipe_effect_ways", _words("effect_id"), _words("provider doubts")),
    Place(
        "channel_events",
        "person_channel_events",
        "erase_channel_events",
        "wipe_channel_events",
        _words("effect_id event_id recipient said url delivery_id code"),
        _words("channel kind at recorded_at raw_kind bounce by_machine"),
    ),
    Place(
        "effects",
        "person_effects",
        None,  # a row at a time, under an id made by chance: see `erase`
        "wipe_effects",
        _words(
            "effect_id run_id request order_id recipient recipient_key subject provider_id reason result message_key"
        ),
        _words(
            "flow_id version step_id kind purpose priority status due_at created_at channel attempts tainted"
            " lease_until first_try_at done_at sender"
        ),
    ),
    Place(
        "runs",
        "person_runs",
        "erase_runs",
        "wipe_runs",
        _words("run_id subject_id entry_key order_id customer_id email_key event outcomes reason"),
        _words("flow_id version subject_kind status step created_at updated_at wake_at awaiting acted rev"),
    ),
    Place(
        "wakeups",
        "person_wakeups",
        "erase_wakeups",
        "wipe_wakeups",
        _words("subject_id order_id customer_id email_key origin moment due_at fired_at"),
        _words("flow_id subject_kind trigger_key"),
    ),
    *REVIEW_PLACES,
    *CARE,
    Place(
        "referral_codes",
        "person_referral_codes",
        "erase_referral_codes",
        "wipe_referral_codes",
        _words("code_key advocate_email_key advocate_customer_id order_id run_id"),
        _words("created_at"),
    ),
    Place(
        "referrals",
        "person_referrals",
        "erase_referrals",
        "wipe_referrals",
        _words("advocate_email_key friend_email_key friend_order_id evidence note friend_hash"),
        _words("referral_id code_key state reason created_at updated_at way signs opens_at reward month")
        + _words("decided_by decided_at"),  # somebody of the merchant's
    ),
    Place(
        "referral_visits",
        "person_referral_visits",
        "erase_referral_visits",
        "wipe_referral_visits",
        _words("visit friend_email_key friend_hash place device order_id"),
        _words("code_key at"),
    ),
    Place(
        "referral_names",
        "person_referral_names",
        "erase_referral_names",
        "wipe_referral_names",
        _words("advocate_email_key name"),
        _words("at"),
    ),
    # A keyed hash of somebody whose order was counted, and nothing else about them.
    Place("referral_friends", None, None, "wipe_referral_friends", (), _words("friend_hash referral_id")),
    Place("links", None, "erase_links", "wipe_links", _words("token data"), _words("kind created_at")),
    Place(
        "shipment_events",
        "person_shipment_events",
        "erase_shipment_events",
        "wipe_shipment_events",
        _words("shipment_event_id shipment_id order_id snapshot"),
        _words("status at"),
    ),
    Place(
        "shipments",
        "person_shipments",
        "erase_shipments",
        "wipe_shipments",
        _words("shipment_id order_id snapshot raw_status"),
        _words("status status_rank status_at status_since snapshot_at"),
    ),
    Place(
        "refunds",
        "person_refunds",
        "erase_refunds",
        "wipe_refunds",
        _words("refund_id order_id snapshot"),
        _words("at"),
    ),
    Place(
        "returns",
        "person_returns",
        "erase_returns",
        "wipe_returns",
        _words("return_id order_id snapshot"),
        _words("at"),
    ),
    Place(
        "consents",
        "person_consents",
        "erase_consents",
        "wipe_consents",
        _words("address_key customer_id evidence raw_state source"),
        _words("seq channel purpose state at recorded_at"),
    ),
    Place("engagements", "person_engagements", "erase_engagements", "wipe_engagements", _words("address_key kind at")),
    Place(
        "preferences",
        "person_preferences",
        "erase_preferences",
        "wipe_preferences",
        _words("address_key locale paused_until updated_at care_until care_reason"),
    ),
    Place(
        "clicks",
        "person_clicks",
        "erase_clicks",
        "wipe_clicks",
        _words("click_id effect_id url_id at verdict"),
    ),
    Place(
        "short_links",
        "person_short_links",
        "erase_short_links",
        "wipe_short_links",
        _words("url owner"),
        _words("url_id created_at"),
    ),
    Place(
        "suppressions",
        "person_suppressions",
        "erase_suppressions",
        "wipe_suppressions",
        _words("address_key"),
        _words("channel scope reason at"),
    ),
    Place(
        "events",
        "person_events",
        "erase_events",
        "wipe_events",
        _words("customer_id data"),
        # Ids of orders stay, as in the merchant's own books: they keep a repetition from happening again.
        _words("event_key kind subject_kind subject_id order_id at recorded_at delivery_id"),
    ),
    Place(
        "push_subscriptions",
        "person_push",
        "erase_push",
        "wipe_push_subscriptions",
        _words("subscription_id email_key sealed"),
        _words("created_at"),
    ),
    Place(
        "checkouts",
        None,
        "erase_checkouts",
        "wipe_checkouts",
        _words("snapshot"),
        _words("token updated_at deleted"),
    ),
    Place(
        "customers",
        "person_customers",
        "erase_customers",
        "wipe_customers",
        _words("email_key snapshot"),
        _words("customer_id updated_at deleted"),
    ),
    Place(
        "orders",
        "person_orders",
        "erase_orders",
        "wipe_orders",
        _words("number email_key customer_id placed_at snapshot bought"),
        _words("order_id updated_at deleted"),
    ),
    Place(
        "privacy_exports",
        None,
        "erase_exports",
        "wipe_privacy_exports",
        _words("content"),
        _words("request_id subject_key expires_at"),
    ),
    Place(
        "privacy_requests",
        None,
        "erase_requests",
        None,  # the audit trail outlives the shop
        _words("subject"),
        _words("request_id kind source subject_key status received_at due_at attempts done_at counts note"),
    ),
    Place(
        "customer_fields",
        "person_fields",
        "erase_fields",
        "wipe_customer_fields",
        _words("owner value effect_id"),
        _words("name kind at"),
    ),
    Place(
        "value_notes",
        "person_value_notes",
        "erase_value_notes",
        "wipe_value_notes",
        _words("account note"),
        _words("fact_id"),
    ),
    Place(
        "value_members",
        "person_value_members",
        "erase_value_members",
        "wipe_value_members",
        _words("account look_at state"),
    ),
    Place(
        "vouchers",
        "person_vouchers",
        "erase_vouchers",
        "wipe_vouchers",
        _words(
            "voucher_key account effect_id kind worth cause platform_id made_at expires_at state used_order used_at"
        ),
        _words("reason"),
    ),
    Place("perk_openings", None, None, "wipe_perk_openings", (), _words("perk begins at")),
    # Who has one is an account, which is nobody once its names are gone; the coupon stays taken.
    Place("perk_coupons", "person_perks", None, "wipe_perk_coupons", (), _words("perk code place taken_by taken_at")),
    # The books are the merchant's and never change: an account by itself says nothing of who it was, orders have ids.
    Place(
        "value_facts",
        "person_value_facts",
        None,
        "wipe_value_facts",
        (),
        _words(
            "fact_id account unit kind of_id amount at cause rule version reason by_whom parts available_at expires_at"
            " recorded_at"
        ),
    ),
    Place(
        "value_entries",
        "person_value_entries",
        None,
        "wipe_value_entries",
        (),
        _words("entry_id account unit lot kind debit credit amount at cause rule version"),
    ),
    Place(
        "value_names",
        "person_value_names",
        "erase_value_names",
        "wipe_value_names",
        _words("owner account at"),
    ),
    Place("erasures", None, None, "wipe_erasures", (), _words("erased_key at")),
    Place("products", None, None, "wipe_products", (), _words("product_id updated_at deleted snapshot")),
    Place("flow_versions", None, None, "wipe_flow_versions", (), _words("flow_id version body created_at")),
    Place(
        "applied_states",
        None,
        None,
        "wipe_applied_states",
        (),
        _words("state at who what note plan part flows changes"),  # `who` is the operator's, never a customer
    ),
    Place(
        "delivery_progress",
        None,
        None,
        "wipe_delivery_progress",
        (),
        _words("delivery_id status attempts due_at error_code error_text finished_at"),
    ),
    Place(
        "jobs",
        None,
        None,
        "wipe_jobs",
        (),
        _words("kind due_at lease leased_until attempts state error_code error_text created_at done_at"),
    ),
    Place("job_reports", None, None, "wipe_job_reports", (), _words("seq kind at report")),
    Place(
        "change_reads",
        None,
        "erase_change_reads",
        "wipe_change_reads",
        _words("object_id"),
        _words("kind changed_at"),
    ),
    Place(
        "segment_members",
        "person_segments",
        "erase_segments",
        "wipe_segments",
        _words("name"),
        _words("segment since"),
    ),
    Place(
        "standings",
        "person_standings",
        "erase_standings",
        "wipe_standings",
        _words("name email_key customer_id"),
        _words("quiet look_at looked_at"),
    ),
    *AUDIENCE_PLACES,
    Place("shop_figures", None, None, "wipe_shop_figures", (), _words("due_at counted_at figures segments")),
    Place("product_figures", None, None, "wipe_product_figures", (), _words("product_id counted_at figures")),
    Place("recoveries", None, None, "wipe_recoveries", (), _words("order_id via at")),
    Place(
        "armings",
        None,
        None,
        "wipe_armings",
        (),
        _words("flow_id trigger_key state source after_id updated_at"),  # an id where a page ended, of nobody
    ),
    Place("objections", None, None, "wipe_objections", (), _words("objection_id flow_id kind at")),
    Place(
        "provider_breakers",
        None,
        None,
        "wipe_provider_breakers",
        (),
        _words("provider failures open_until trying_until reason"),
    ),
    Place("signup_pace", None, None, "wipe_signup_pace", (), _words("place full_until")),  # a place is a keyed hash
    Place("sent_before", None, None, "wipe_sent_before", (), _words("sent_key fate at met_at")),
    Place("refused_before", None, None, "wipe_refused_before", (), _words("sealed_key channel scope reason at")),
    Place("flow_pauses", None, None, "wipe_flow_pauses", (), _words("flow_id at reason")),
    Place("arrivals", None, None, "wipe_arrivals", (), _words("topic at")),
    Place("event_days", None, None, "wipe_event_days", (), _words("day kind total")),
)

WITHOUT_PEOPLE = frozenset(
    {
        *("meta", "shops", "endpoints", "credentials", "inbox_cursor", "privacy_access", "schema_ledger"),
        *("connected_shops", "connect_invites", "connect_attempts", "renewals", "notices"),
        *("provider_accounts", "processes", "alerts", "value_openings"),
    }
)
"""Tables that hold nothing of customers. What they hold of a shop is removed with its connection."""
