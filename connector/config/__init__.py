"""The operator's file: its schema, its layers (defaults, presets, clients, shops) and where each value came from."""

from connector.config.layering import Layered, merge
from connector.config.load import AppSettings, Config, FlowSetting, ShopSettings, load_config, parse_config

__all__ = ["AppSettings", "Config", "FlowSetting", "Layered", "ShopSettings", "load_config", "merge", "parse_config"]
