"""Frames and arguments of the drivers in the area `lab`."""

SAMPLES: dict[str, list[bytes]] = {
    "mt-sics": [b"S S     100.00 g\r\n", b"S D 1.5 kg\r\n", b"S +\r\n", b"ES\r\n", b'I4 A "1"\r\n', b"Z A\r\n"],
    "mt-lab-print": [b"     N       0.3746 g   \r\n", b"     G     120.0001 ct  \r\n", b"     T    -  0.3 kg     \r\n"],
    "sartorius-sbi": [
        b"+   123.56 g  \r\n",
        b"N     + 120.5026    \r\n",
        b"Qnt +    253 pcs  \r\n",
        b"Stat Low\r\n",
        b"      H       \r\n",
        b"Stat Cal. Ext.\r\n",
        b"Err 101\r\n",
        b"SerNo. 0031801165\r\n",
        b"WZA8202-N\r\n",
    ],
    "and-standard": [
        b"ST,+0001.234 kg\r\n",
        b"US,-00005678 PC\r\n",
        b"ST,LO,+0001.234 kg\r\n",
        b"OL,-9999.999 lb\r\n",
        b"EC,E11\r\n",
        b"\x06\r\n",
    ],
    "ohaus-print": [
        b"   1.645 kg    N\r\n",
        b"-    1.25 lb   ?NET\r\n",
        b"     207.80 g TOTAL\r\n",
        b"     192.08 g   00:00:30\r\n",
        b"ES\r\n",
    ],
    "radwag": [
        b"SI ?       18.5 kg \r\n",
        b"SU   -  172.135 N  \r\n",
        b"SI ^            kg \r\n",
        b"OT      0.250 kg \r\n",
        b"S A\r\n",
        b"Z D\r\n",
        b"T v\r\n",
        b'NB A "123456"\r\n',
        b"ES\r\n",
    ],
    "sartorius-xbpi": [
        bytes.fromhex("0b4148bba3d70a3d30824507"),
        bytes.fromhex("0b41487fffffffff30020546"),
        bytes.fromhex("0b41480000818218100001c0"),
        bytes.fromhex("03410044"),
        bytes.fromhex("044101064c"),
        bytes.fromhex("0841450031801165b5"),
    ],
    "adam-cpw": [b"G +     2.00 kg\r\n", b"N -  1.00 kg\r\n", b"T + 0.50 kg\r\n", b"Unit Wt. 123 g\r\n", b"PCS 10 pcs\r\n"],
    "adam-azextra": [b"  1.234kg\r\n", b"0.005 kg\r\n"],
    "adam-16": [b"       123.45 g \r\n", b"-      123.45 g \r\n", b"          125PCS\r\n"],
    "adam-pgl": [b"123.4567 g\r\n", b"Net: -3.201 g\r\n", b"!EK\r\n", b"DATE 12/09/2026\r\n"],
    "kern-print": [
        b"     -450.45 gn \r\n",
        b"M      10.21 g  \r\n",
        b"       10.21    \r\n",
        b"       10.21 \r\n",
        b"        Error\r\n",
    ],
    "kern-platform": [b"ST,GS   1.000KG\r\n", b"US,NT - 1.342KG\r\n", b"OL,GS\r\n", b"ER NN\r\n"],
    "gg-print": [b"-    12.34 G \r\n", b"   100.001 CT \r\n", b"UW  12.34 g\n", b"QT  1000 Pcs\n", b"MN   12    \n"],
    "axis": [b"-   12.345 kg \r\n", b"       0.5  g \r\n", b"MJ\r\n"],
}
"""Driver -> frames with their terminators; one decoded thing each, never a malformed one."""

ARGUMENTS: dict[tuple[str, str], str] = {
    ("mt-sics", "preset_tare"): "12.5 g",
    ("radwag", "preset_tare"): "12.5 g",
}
"""(driver, command) -> an argument that it needs; without one the command is refused."""
