"""The command about the broker; `tallybox.py` mounts it."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

SETUP = 3
"""The exit code of what cannot be set up, as everywhere on the command line."""


def broker_command(now: Callable[[], datetime]) -> Callable[..., None]:
    """`tallybox provision broker`; `now` is the machine's clock."""

    def broker(
        ca: Annotated[Path, typer.Option("--ca", help="The authority's folder.")],
        directory: Annotated[Path, typer.Option(help="Where the broker's files go.")],
        names: Annotated[list[str], typer.Option("--name", help="DNS name or IP address; more than one may be given.")],
        workers: Annotated[
            list[str] | None, typer.Option("--worker", help="A process of the core, `ingest`; more than one may be given.")
        ] = None,
        host: Annotated[str, typer.Option(help="The address to listen on.")] = "0.0.0.0",  # noqa: S104 - boxes come from afar
        port: Annotated[int, typer.Option(help="The port to listen on.")] = 8883,
        user: Annotated[str | None, typer.Option(help="Who Mosquitto becomes when root starts it.")] = None,
        crl: Annotated[Path | None, typer.Option(help="A list of revoked certificates (PEM).")] = None,
    ) -> None:
        """Write Mosquitto's configuration, access list and certificates."""
        from provisioning.broker import Listening, write_broker
        from provisioning.ca import load_authority
        from provisioning.errors import ProvisioningError

        listening = Listening(host=host, port=port, user=user, crl=crl)
        try:
            path = write_broker(
                directory, load_authority(ca), names=names, workers=workers or ["ingest"], now=now(), listening=listening
            )
        except (ProvisioningError, OSError) as exc:
            typer.echo(f"tallybox: {exc}", err=True)
            raise typer.Exit(SETUP) from exc
        typer.echo(f"start the broker with: mosquitto -c {path}")

    return broker
