"""Everything Kiitos asks of a platform, over the recordings and tapes of a real Vendure server."""

from connector.testing import conformance_of

TestVendure = conformance_of("vendure")
