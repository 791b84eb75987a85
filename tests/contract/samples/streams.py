"""Frames and arguments of the drivers in the area `streams`."""

from drivers.envelope import Message

SAMPLES: dict[str, list[bytes]] = {
    "mt-continuous": [
        b"\x02-0 012345000000\r",
        b"\x02-1 010345002000\r",
        b"\x02-8 012340000000\r",
        b"\x02-3 000500002000\r",
        b"\x02-4 060020000000\r",
        b"\x02-p 000000000000\r",
        b"\x02+ !012345000000\r",
        b"\x02-00012345000000\r",
        b"\x02\x0d0 000012000000\r",
    ],
    "mt-continuous-short": [b"\x02-0 012345\r", b"\x02-8 012340\r", b"\x02-4 060020\r", b"\x02, (  1250\r"],
    "dini-argeo": [
        b"ST,NT,   12.50,kg\r\n",
        b"US,GS,  -12.50,kg\r\n",
        b"OL,GS,        ,kg\r\n",
        b"UL,GS,        ,kg\r\n",
        b"TL,GS,        ,kg\r\n",
        b"ST,1,     0.0,PT    20.8,         0,kg\r\n",
        b"1,ST,     12.50,       0.0,         0,         0,Kg\r\n",
        b"OK\r\n",
        b"ERR03\r\n",
        b"VER,01.25,E-AF03\r\n",
    ],
    "st-gs-comma": [
        b"ST,GS,   245.6 g\r\n",
        b"US,NT,-  1.234kg\r\n",
        b"OL,GS,+       kg\r\n",
        b"OL,GS,-       kg\r\n",
        b"ST,GS,OK,+  1.234kg\r\n",
        b"ST,TR,+  1.234kg\r\n",
    ],
    "st-gs-space": [b"ST,GS   1.000KG\r\n", b"US,GS   1.342KG\r\n", b"OL,GS\r\n", b"ST,NT      12PCS\r\n"],
    "yaohua-wg": [b"WG004.139kg3D\r\n", b"WN004.139kg34\r\n", b"         OL23\r\n", b"         LO23\r\n"],
    "yaohua-stx": [
        b"\x02+012345319\x03",
        b"\x02-00010021E\x03",
        b"\x02AA00\x03",
        b"\x02AB+01234531A\x03",
        b"\x02AC+002000318\x03",
    ],
    "yaohua-eq": [b"=0003.000", b"=-0001.00", b"=   12.50"],
    "yaohua-eq-reversed": [b"=000.3000", b"=00.1000-"],
    "ricelake-stream": [
        b"\x02   12.50LG \r\n",
        b"\x02   12.50KGNM\r\n",
        b"\x02    0.00KGGZ\r\n",
        b"\x02^^^^^^^^LBGO\r\n",
        b"\x02]]]]]]]]LBGO\r\n",
        b"\x02   12.50LBGI\r\n",
        b"OK\r\n",
        b"??\r\n",
    ],
    "condec": [b"\x02   1250LGR \r\n", b"\x02-  12.5KNTM\r\n", b"\x02  99999LGRO\r\n"],
    "weightronix-stream": [b" g   1250 lb\r\n", b" n-  12.5 kg\r\n", b" o 999999 lb\r\n", b" m   12.5 lb\r\n"],
    "cardinal-stream": [b"\r+001250.m lb g  \x03", b"\r-0012.5  kg n  \x03", b"\r+999999.o lb g  \x03"],
    "western-df1500": [b"\x02  123.45 KG GR  \r\n", b"\x02-   0.55 LB NT M\r\n"],
    "digi-di600": [
        b"\x00\r0-001,230\r40000,450\r\n",
        b"\x01\r00001,230\r40000,450\r\n",
        b"00001,230\r40000,450\r\n",
        b"\x00\r0OV00000\r4???????\r\n",
    ],
    "rinstrum-auto": [
        b"\x02    1250G\x03",
        b"\x02-   12.5N\x03",
        b"\x02    1250M\x03",
        b"\x02    1250O\x03",
        b"\x02    1250U\x03",
        b"\x02        E\x03",
    ],
    "hid-pos-scale": [
        Message("report", bytes.fromhex(report)).to_bytes()
        for report in (
            "030202000000",
            "030302006400",
            "030502000a00",
            "03060bffffff",
            "030403fdd204",
            "030702000000",
            "040203",
            "00030403fdd204",
        )
    ],
}
"""Driver -> frames with their terminators; one decoded thing each, never a malformed one."""

ARGUMENTS: dict[tuple[str, str], str] = {("dini-argeo", "preset_tare"): "12.5 kg"}
"""(driver, command) -> an argument that it needs; without one the command is refused."""
