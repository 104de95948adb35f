"""Connecting a store, for the pages and the command alike: invites, attempts, activation, removal, health check.

What a platform brings is used only after it was proven, a store joins in one transaction, and every platform is asked
through `connector.contracts.connecting`: adding one edits nothing here.
"""

from connector.connecting.activation import Application, activate, leave
from connector.connecting.attempts import Attempts, Started
from connector.connecting.checking import check, fill, sentences, worst

__all__ = ["Application", "Attempts", "Started", "activate", "check", "fill", "leave", "sentences", "worst"]
