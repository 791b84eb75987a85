"""Frames and arguments of the drivers in the area `pos`."""

SAMPLES: dict[str, list[bytes]] = {
    "toledo-8217": [b"\x0201.250\r", b"\x0201.750N\r", b"\x02?\x01\r", b"\x02?\x0d\r", b"\x02E\r", b"\x02?P\r"],
    "toledo-8213": [b"\x02012.34\r", b"\x02012.34N\r", b"\x02?A\r", b"\x02?B\r"],
    "datalogic-sasi": [b"\x0201.250\r", b"\x02?A\r", b"\x02?B\r", b"\x02?C\r", b"\x02?D\r"],
    "nci-scp01": [b"\n001.25LB\r\nS00\r\x03", b"\nS10\r\x03", b"\n?\r\x03", b"\n02LB 05.5OZ\r\nS00\r\x03", b"\n0\xb1\r\x03"],
    "sma": [
        b"\n 1G       5.025lb \r",
        b"\nO1G      15.020kg \r",
        b"\n?\r",
        b"\nE1G  ----------kg \r",
        b"\n    \r",
        b"\nSMA:2/1.0\r",
    ],
    "datalogic-single-cable": [
        b"S1101250\r",
        b"S1440125\r",
        b"S141\r",
        b"S142\r",
        b"S143\r",
        b"S08F7290001234563\r",
        b"7290001234563\r",
    ],
    "cas-22": [b"ST,GS,1\xe4,000013.5 kg\r\n", b"OL,GS,1\xa4,         kg\r\n", b"US,NT,2\x8a,-0002.50 kg\r\n"],
    "cas-10": [b"000013.5\r\n", b"  -13.50\r\n"],
    "and-18": [b"ST,GS,000013.5kg\r\n", b"OL,GS,        kg\r\n"],
    "cas-pd2-ascii": [b"\x02ST,GS,+  1.25 lb\r", b"\x02OL,GS,+------ lb\r", b"\x02OL,GS,------- lb\r"],
    "cas-enq": [
        bytes.fromhex("0102532030312e3235304b47670304"),
        bytes.fromhex("010253462020202020204b47190304"),
        b"\x06",
        b"\x15",
    ],
    "dialog06": [
        b"\x0202\x1b3\x1b01234\x1b000500\x1b000617\x03",
        b"\x0209\x1b20\x03",
        b"\x0209\x1b21\x03",
        b"\x0211\x1b2A7\x03",
        b"\x06",
        b"\x15",
    ],
    "dibal-98": [b"9900031600000004\r\n"],
    "dibal-terminal": [b"9B0012500005000000625I\r\n", b"9B1000000005001000000N\r\n"],
    "ups-worldship": [b"  5.25 lb. GR  \r\n\x03", b"  5.25 lb. gr  \r\n\x03", b"\r\x03"],
    "fedex": [b"\n 001.25LB\r00\x03", b"\n 001.25LB\r10\x03", b"\n 001.25LB\r02\x03"],
    "pennsylvania-7600": [
        b"Gross 100.55 lb.\r\n",
        b"WGross   0.00 lb.\r\n",
        b"OLOLOL\r\n",
        b"Err.81\r\n",
        b"Count 157 Pieces\r\n",
    ],
}
"""Driver -> frames with their terminators; one decoded thing each, never a malformed one."""

ARGUMENTS: dict[tuple[str, str], str] = {
    ("toledo-8217", "preset_tare"): "1.25 kg",
    ("toledo-8213", "preset_tare"): "1.25 kg",
    ("pennsylvania-7600", "preset_tare"): "1.25 [lb_av]",
}
"""(driver, command) -> an argument that it needs; without one the command is refused."""
