"""Frames and arguments of the drivers in the area `gauges`."""

SAMPLES: dict[str, list[bytes]] = {
    "mitutoyo-spc": [b"01A+0000.123\r", b"01A-00.12345\r", b"02A+000.1234\r", b"911\r"],
    "mitutoyo-idh": [b"GN01,+0016.2345\r\n", b"GX00,-0016.2345\r\n", b"CH00\r\n", b"DH00,+NG\r\n", b"DG01,+0010.0000\r\n"],
    "surftest-sj": [
        b"OKRa      3.123um \r",
        b"OKRa      3.123 \xb5m\r",
        b"NG004\r",
        b"OK000\r",
        b"OK\r",
        b"OKRsk    -0.500   \r",
    ],
    "mahr": [b"1 +012.34 mm =\r", b"2 -0000.5 um < >\r", b"+012.345mm\r", b"ERR6\r", b"3 ERR6\r", b"1 +012.34 deg;", b"\n"],
    "mahr-maxum": [b"A+ 01.234M \r\n", b"m- 0.1234IU \r\n", b" + 01.234M  \n"],
    "sylvac-serial": [b"+012.345\r", b"-000.500<\r", b" 12.34\r", b"ERR0\r", b"MM\r", b"NOR\r", b"SYLVAC Z_CAL\r"],
}
"""Driver -> frames with their terminators; one decoded thing each, never a malformed one."""

ARGUMENTS: dict[tuple[str, str], str] = {}
"""(driver, command) -> an argument that it needs; without one the command is refused."""
