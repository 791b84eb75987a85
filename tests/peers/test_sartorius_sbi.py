"""SBI: another client, over TCP, at our simulated Sartorius balance."""

from pathlib import Path
from typing import Any

from tests.peers.conftest import simulated

CLIENT = """
import asyncio, json, sys
from sartorius.driver import Scale

async def main():
    async with Scale(ip=sys.argv[1]) as scale:
        for _ in range(40):
            reading = await scale.get()
            if reading["stable"]:
                break
            await asyncio.sleep(0.1)
        info = await scale.get_info()
        print(json.dumps({"reading": reading, "info": info}))

asyncio.run(main())
"""


async def test_their_client_reads_our_balance(tmp_path: Path, peer: Any) -> None:
    scale = {"unit": "g", "capacity": "620", "increment": "0.01", "load": "123.45"}
    async with simulated(tmp_path, "sartorius-sbi", tcp=0, scale=scale, options={"characters": 22}) as site:
        said = await peer(CLIENT, site.device("one").address)
    assert said["reading"]["mass"] == 123.45
    assert said["reading"]["units"] == "g"
    assert said["reading"]["stable"] is True
    assert "B214507731" in said["info"]["serial"]
