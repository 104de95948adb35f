"""Nothing is missed: what webhooks lose is asked for, again and again, and how complete we are can be seen.

A shop's jobs are rows (`connector.store.jobs`); the worker takes one slice at a time. The network is never asked inside
a transaction, and how far a job has come is stored together with the rows it stands for.
"""

from connector.reconciliation.backfill import plan as backfill_plan
from connector.reconciliation.completeness import Completeness, measure
from connector.reconciliation.reconciler import Reconciler, can_ask
from connector.reconciliation.subscriptions import as_report as hooks_as_report

__all__ = ["Completeness", "Reconciler", "backfill_plan", "can_ask", "hooks_as_report", "measure"]
