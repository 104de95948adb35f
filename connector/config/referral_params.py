"""What the shipped referral flows are told by the `referrals` table: parameters the shop does not say itself."""

from __future__ import annotations

from datetime import timedelta

from connector.config.referrals import CODE, ReferralTerms
from connector.model import Money

_PARAMS = {
    "referral_invite": ("friend_reward", "minimum", "valid"),
    "referral_link": ("friend_reward", "minimum", "valid"),
    "referral_reward": ("hold", "reward", "kinds", "friend_kinds"),
}


def flow_params(terms: ReferralTerms, file: str) -> dict[str, str]:
    """The parameters of a shipped referral flow (`file`) as the table says them; a flow's own `params` go before."""
    if not terms.enabled or not terms.rewards or file not in _PARAMS:
        return {}
    said = {
        "friend_reward": terms.friend,
        "minimum": _text(terms.minimum),
        "valid": _span(terms.friend_valid),
        "hold": _span(terms.hold),
        "reward": terms.rewards[0].worth if terms.rewards[0].kind == CODE else "",
    }
    friend = terms.friend_reward
    said["kinds"] = " ".join(sorted({reward.kind for reward in terms.rewards}))
    said["friend_kinds"] = friend.kind if friend is not None else ""
    return {name: said[name] for name in _PARAMS[file] if said[name]}


def _text(money: Money | None) -> str:
    return f"{money.amount:f} {money.currency}" if money else ""


def _span(span: timedelta | None) -> str:
    if not span:
        return ""
    days, rest = divmod(int(span.total_seconds()), 86_400)
    return f"{days}d" if not rest else f"{int(span.total_seconds())}s"
