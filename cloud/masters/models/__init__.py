"""Tables of master data, and of purchase orders."""

from cloud.masters.models.devices import Calibration, Device, LabelLayout
from cloud.masters.models.orders import OrderLine, PurchaseOrder
from cloud.masters.models.parties import Party, PartyAlias, PartyContact, PartyKey
from cloud.masters.models.places import Location, Site, Station
from cloud.masters.models.prices import Price, PriceList
from cloud.masters.models.products import BomLine, Product, ProductCode, Unit

__all__ = [
    "BomLine",
    "Calibration",
    "Device",
    "LabelLayout",
    "Location",
    "OrderLine",
    "Party",
    "PartyAlias",
    "PartyContact",
    "PartyKey",
    "Price",
    "PriceList",
    "Product",
    "ProductCode",
    "PurchaseOrder",
    "Site",
    "Station",
    "Unit",
]
