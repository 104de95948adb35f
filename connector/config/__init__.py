"""The operator's file: its schema, its layers (defaults, presets, clients, shops) and where each value came from."""

from connector.config.backups import BackupSettings
from connector.config.layering import Layered, merge
from connector.config.load import inherited, load_config, parse_config, read_document, with_connected
from connector.config.settings import (
    AppSettings,
    Config,
    ConnectedShop,
    ConnectSettings,
    EndpointSettings,
    FlowSetting,
    FlowsSettings,
    PersonSettings,
    ShopSettings,
)

__all__ = [
    "AppSettings",
    "BackupSettings",
    "Config",
    "ConnectSettings",
    "ConnectedShop",
    "EndpointSettings",
    "FlowSetting",
    "FlowsSettings",
    "Layered",
    "PersonSettings",
    "ShopSettings",
    "inherited",
    "load_config",
    "merge",
    "parse_config",
    "read_document",
    "with_connected",
]
