"""Many codes under one rule: a job that runs on after the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from connector.testing.fakes.shopify.queries import number_of
from connector.testing.fakes.shopify.state import CodeJob, Discount, Json
from connector.testing.fakes.shopify.views import DiscountNodeView, View, connection

if TYPE_CHECKING:
    from connector.testing.fakes.shopify.shop import FakeShopify

MOST_CODES = 250
JOB_TAKES = timedelta(seconds=2)


class CodeJobView(View):
    typename = "DiscountRedeemCodeBulkCreation"
    row: CodeJob

    def done(self) -> bool:
        return self.row.done

    def codes_count(self) -> int:
        return len(self.row.codes)

    def imported_count(self) -> int:
        return sum(1 for code in self.row.codes if code not in self.row.failed) if self.row.done else 0

    def failed_count(self) -> int:
        return len(self.row.failed)

    def created_at(self) -> str | None:
        return self.utc(self.row.created_at.isoformat())

    def id(self) -> str:
        return f"gid://shopify/DiscountRedeemCodeBulkCreation/{self.row.id}"

    def codes(self, **args: Any) -> Json:
        rows = [{"code": code, "errors": self._errors(code), "discount_redeem_code": None} for code in self.row.codes]
        return connection(rows, lambda row: row["code"], **args)

    def _errors(self, code: str) -> list[Json]:
        kind = self.row.failed.get(code)
        text = "Code must be unique. Please try a different code."
        return [{"code": kind, "message": text, "field": ["code"], "extra_info": None}] if kind else []

    def discount_code(self) -> View:
        return DiscountNodeView(self.shop, self.shop.discounts[self.row.discount_id])


def discount_redeem_code_bulk_add(shop: FakeShopify, discount_id: str, codes: list[Json]) -> Json:
    """Starts the job; codes are there when it is done, some seconds later."""
    rule = shop.discounts.get(number_of(discount_id, "DiscountCodeNode"))
    if rule is None:
        error = {"field": ["discountId"], "code": "INVALID", "message": "Code discount does not exist."}
        return {"bulk_creation": None, "user_errors": [{**error, "extra_info": None}]}
    if len(codes) > MOST_CODES:
        error = {"field": ["codes"], "code": "TOO_MANY_ARGUMENTS", "message": "Too many codes: at most 250."}
        return {"bulk_creation": None, "user_errors": [{**error, "extra_info": None}]}
    job = CodeJob(
        id=shop.next_id("DiscountRedeemCodeBulkCreation"),
        discount_id=rule.id,
        codes=[row["code"].strip() for row in codes],
        created_at=shop.clock.now(),
    )
    shop.code_jobs[job.id] = job
    return {"bulk_creation": CodeJobView(shop, job), "user_errors": []}


def discount_redeem_code_bulk_creation(shop: FakeShopify, id: str) -> CodeJobView | None:  # noqa: A002
    run_code_jobs(shop)
    job = shop.code_jobs.get(number_of(id, "DiscountRedeemCodeBulkCreation"))
    return CodeJobView(shop, job) if job else None


def run_code_jobs(shop: FakeShopify) -> None:
    """Let every job whose time has come add its codes."""
    for job in shop.code_jobs.values():
        if job.done or shop.clock.now() < job.created_at + JOB_TAKES:
            continue
        rule: Discount = shop.discounts[job.discount_id]
        for code in job.codes:
            if not code or len(code) > 255 or shop.discount_by_code(code):
                job.failed[code] = "TAKEN" if code else "BLANK"
            else:
                rule.more.append(replace(rule, code=code, used_by=[], more=[]))
        job.done = True


CODE_MUTATIONS: Mapping[str, Callable[..., Json]] = {"discount_redeem_code_bulk_add": discount_redeem_code_bulk_add}
CODE_QUERIES: Mapping[str, Callable[..., Any]] = {
    "discount_redeem_code_bulk_creation": discount_redeem_code_bulk_creation
}
