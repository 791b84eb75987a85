"""What this part of the catalogue offers: its drivers, and the protocols whose captures can be decoded."""

from collections.abc import Mapping

from drivers.api import Driver
from drivers.ble import acaia, decent, services, skale, standard, sylvac_sds, sylvac_sms, xiaomi
from drivers.captures import Decoder, messages

DRIVERS: tuple[Driver, ...] = (
    *standard.DRIVERS,
    xiaomi.V1,
    xiaomi.V2,
    skale.DRIVER,
    acaia.DRIVER,
    decent.DRIVER,
    sylvac_sds.DRIVER,
    sylvac_sms.DRIVER,
)

DECODERS: Mapping[str, Decoder] = {
    "ble-weight-scale": messages(standard.WEIGHT_SCALE, services.WEIGHT),
    "ble-body-composition": messages(standard.BODY_COMPOSITION, services.BODY),
    "ble-environment": messages(standard.ENVIRONMENT, services.TEMPERATURE),
    "ble-temperature": messages(standard.ENVIRONMENT, services.TEMPERATURE),
    "ble-humidity": messages(standard.ENVIRONMENT, services.HUMIDITY),
    "ble-pressure": messages(standard.ENVIRONMENT, services.PRESSURE),
    "ble-thermometer": messages(standard.THERMOMETER, services.THERMOMETER),
    "ble-battery": messages(standard.BATTERY, services.BATTERY),
    "xiaomi-scale-v1": messages(xiaomi.V1, xiaomi.V1_ORIGIN),
    "xiaomi-scale-v2": messages(xiaomi.V2, xiaomi.V2_ORIGIN),
    "atomax-skale": messages(skale.DRIVER, skale.ORIGIN),
    "acaia": messages(acaia.DRIVER, acaia.ORIGIN),
    "decent-scale": messages(decent.DRIVER, decent.NOTIFY),
    "sylvac-sds": messages(sylvac_sds.DRIVER, sylvac_sds.VALUE),
    "sylvac-sms": messages(sylvac_sms.DRIVER, sylvac_sms.BUTTON),
}
"""A capture is one message's payload, or an envelope; a payload is taken as the device's main characteristic."""
