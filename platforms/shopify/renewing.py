"""Tokens that lapse, as the kernel sees them. What they are and how they are asked for: `platforms.shopify.tokens`."""

from __future__ import annotations

from collections.abc import Mapping

from connector.contracts import Access, Renewal, RenewsTokens
from platforms.shopify.calls import Calls


class Renewals(Calls, RenewsTokens):
    """Client credentials lapse after a day, granted tokens after an hour (facts/shopify.md section 2.1)."""

    def renewal(self, secrets: Mapping[str, str]) -> Renewal | None:
        if "grant" not in secrets and (secrets.get("access_token") or not secrets.get("client_secret")):
            return None  # without the import below, which costs requests and shopify
        from platforms.shopify.tokens import renewal_of

        return renewal_of(secrets)

    def renew(self, access: Access) -> Mapping[str, str]:
        """A token for the refresh token, or for the app's credentials where there is none."""
        return {"grant": self._client.renew(access).to_text()}
