"""The command line. The only module that may import every part; each command imports what it needs when it runs.

Exit codes: 0 done; 1 the answer is no (a record does not verify, the demo failed); 2 the command was called wrongly; 3 a
setting, file, database or address cannot be used; 4 the box's journal failed (start the box again).
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import time_ns
from typing import Annotated, Any, NoReturn

import typer

from cloud.cli import imports as cloud_imports
from cloud.cli.audit import audit_app
from cloud.cli.boxes import boxes as cloud_boxes
from cloud.cli.branch import branch as cloud_branch
from cloud.cli.commands import command as cloud_command
from cloud.cli.commands import commands as cloud_commands
from cloud.cli.evidence import export as export_command
from cloud.cli.evidence import verify_bundle
from cloud.cli.hooks import hooks_app
from cloud.cli.jobs import jobs_app
from cloud.cli.people import key_app, user_app
from cloud.cli.reindex import reindex as cloud_reindex
from cloud.cli.restored import restored as cloud_restored
from cloud.cli.stock import stock_app
from edge.journal.commands import journal_app
from provisioning.commands import broker_command

NO, SETUP, JOURNAL = 1, 3, 4

VERSION = "0.1.0"
HERE = Path(__file__).resolve().parent


def _group(text: str) -> typer.Typer:
    return typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=text)


app = _group("Tallybox: weights, scans and measurements that can be traced back to the bytes they came from.")
edge_app = _group("The box: devices, journal, kiosk.")
cloud_app = _group("The core: ingest, records, staff pages.")
sim_app = _group("Simulated instruments.")
provision_app = _group("Keys and certificates.")
for name, group in (("edge", edge_app), ("cloud", cloud_app), ("sim", sim_app), ("provision", provision_app)):
    app.add_typer(group, name=name)

cloud_app.add_typer(audit_app, name="audit", help="The log of who did what.")
cloud_app.command("boxes")(cloud_boxes)
cloud_app.command("branch")(cloud_branch)
cloud_app.command("command")(cloud_command)
cloud_app.command("commands")(cloud_commands)
cloud_app.command("reindex")(cloud_reindex)
cloud_app.command("restored")(cloud_restored)
cloud_app.add_typer(user_app, name="user", help="People and their roles.")
cloud_app.add_typer(key_app, name="key", help="Keys of programs.")
cloud_app.command("import")(cloud_imports.import_)
cloud_app.command("undo-import")(cloud_imports.undo_import)
cloud_app.command("export")(cloud_imports.export)
cloud_app.command("template")(cloud_imports.template)
cloud_app.add_typer(stock_app, name="stock", help="The stock ledger.")
cloud_app.add_typer(jobs_app, name="jobs", help="Work in the background.")
cloud_app.add_typer(hooks_app, name="webhooks", help="Other programs that are told what happens.")
app.command("export")(export_command)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Database = Annotated[str, typer.Option("--db", envvar="TALLYBOX_DATABASE_URL", help="sqlite:///FILE or postgresql://...")]
BrowserLibs = Annotated[Path, typer.Option(help="The node_modules folder that script/setup makes.")]


def main() -> None:
    """Entry point of the `tallybox` command."""
    app()


def _fail(message: object, code: int = SETUP) -> NoReturn:
    print(f"tallybox: {message}", file=sys.stderr)
    raise typer.Exit(code)


def _logging(*, quiet: bool = False) -> None:
    import logging

    import structlog

    person = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer() if person else structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if quiet else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )


@app.callback(help="Tallybox: weights, scans and measurements that can be traced back to the bytes they came from.")
def _every_command() -> None:
    # Standard output is for answers: whatever a part logs goes to standard error.
    _logging()


def _announce(**facts: object) -> None:
    """One JSON line on standard output: how whoever started this process learns its addresses."""
    print(json.dumps(facts), flush=True)


def _until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Run until it ends by itself or the process is asked to stop (SIGINT, SIGTERM), which is a good end."""

    async def run() -> None:
        task = asyncio.ensure_future(work)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()

    try:
        asyncio.run(run())
    except BaseExceptionGroup as group:
        # The first fault ended the others; it is the one to tell.
        raise _first(group) from group


def _first(exc: BaseException) -> BaseException:
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    return exc


@contextmanager
def _database() -> Iterator[None]:
    """What the core or its database refuses is one line and exit code 3: 1 would say that a record does not verify."""
    from sqlalchemy.exc import DBAPIError

    from cloud.errors import CloudError

    try:
        yield
    except CloudError as exc:
        _fail(exc)
    except DBAPIError as exc:
        _fail(f"the database cannot be used (is it migrated?): {str(exc.orig).splitlines()[0]}")


def _now() -> Any:
    from cloud.clock import system_clock

    return system_clock()


# --- demo ---------------------------------------------------------------------------------------------------------------------


@app.command()
def demo(
    auto: Annotated[bool, typer.Option("--auto", help="Play one whole receipt, check it, print a table, end.")] = False,
    directory: Annotated[
        Path | None, typer.Option(help="Keep the demo's data here; else a folder that is removed at the end.")
    ] = None,
    libs: BrowserLibs = HERE / "node_modules",
    as_json: Json = False,
) -> None:
    """Run a simulated site, a box and a cloud on this machine."""
    from firmware_sim.demo import Tools, run_demo
    from firmware_sim.demo_operator import DemoFailed

    _logging(quiet=True)  # the parts keep logs of their own
    tools = Tools(prepare=prepare_demo, step_times=_line_steps, verify=_verifies)
    try:
        asyncio.run(run_demo(tools, libs, auto=auto, directory=directory, as_json=as_json))
    except DemoFailed as exc:
        _fail(exc, NO)


async def prepare_demo(directory: Path) -> Any:
    """A migrated database with the demo company, an authority, a server's certificate and an enrolled, registered box."""
    import secrets

    from cloud.db.engine import open_sessions
    from cloud.db.migrate import migrate
    from cloud.kernel.actor import Actor, Taken
    from cloud.masters.demo import ORGANISATION, PEOPLE, STATION, load_demo
    from cloud.trade.demo import load_trade
    from firmware_sim.demo_processes import DemoData
    from provisioning.ca import init_authority
    from provisioning.enroll import enroll_server

    data = DemoData(
        directory=directory,
        database_url=f"sqlite:///{directory / 'cloud.db'}",
        server=directory / "server",
        identity=directory / "identity",
        station=STATION,
        organisation=ORGANISATION,
        pins={login: f"{secrets.randbelow(9000) + 1000}" for login, *_ in PEOPLE},
        passwords={login: secrets.token_urlsafe(9) for login, *_ in PEOPLE},
    )
    authority = init_authority(directory / "ca", name="Tallybox demo", now=_now())
    enroll_server(data.server, authority, names=["127.0.0.1", "localhost"], now=_now())
    box = _enroll(directory / "ca", data.identity, tenant="demo")
    await migrate(data.database_url)
    sessions = open_sessions(data.database_url)
    try:
        async with sessions.write() as session:
            taken = Taken(Actor.system("demo"), _now())
            await load_demo(session, taken, pins=data.pins, passwords=data.passwords)
            await load_trade(session, taken)
    finally:
        await sessions.engine.dispose()
    await _register(data.database_url, box, name="Receiving box", station=STATION, demo=True)
    return data


def _journal_signer(identity: Path) -> Any:
    """Box, key id and the signing function of an identity's folder."""
    from provisioning.box_identity import Identity
    from provisioning.errors import ProvisioningError

    try:
        who = Identity.load(identity)
    except ProvisioningError as exc:
        _fail(exc)
    return who.box_id, who.key_id, who.sign


edge_app.add_typer(journal_app(_journal_signer, time_ns), name="journal", help="The box's journal, looked at from outside.")


async def _line_steps(data: Any) -> list[int]:
    """When the demo's box wrote the first step of each line, in nanoseconds since boot."""
    from edge.journal.reader import JournalReader
    from edge.runner import JOURNAL as JOURNAL_FILE

    async with JournalReader.open(data.directory / "box" / JOURNAL_FILE) as reader:
        return [entry.mono_ns async for _, entry in reader.steps() if entry.step == "item"]


async def _verifies(ref: str, data: Any) -> bool:
    """Whether `tallybox verify` says yes, asked as a person would."""
    command = (sys.executable, "-m", "tallybox", "verify", ref, "--db", data.database_url)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    output, _ = await process.communicate()
    if process.returncode != 0:
        print(output.decode(errors="replace"), file=sys.stderr)
    return process.returncode == 0


# --- edge ---------------------------------------------------------------------------------------------------------------------

Config = Annotated[Path, typer.Option(help="The box's TOML file.")]


@edge_app.command("run")
def edge_run(
    config: Config,
    identity: Annotated[
        Path | None, typer.Option(help="Folder made by `provision enroll`; without it the box works alone.")
    ] = None,
) -> None:
    """Run the box until stopped; prints {"kiosk": address} once it is served."""
    from drivers.api import SettingsFault as DriverSettingsFault
    from drivers.registry import NotLoaded, load_entry_points
    from edge import settings as box_settings
    from edge.clock import BoxClock
    from edge.commands.configure import adopt
    from edge.errors import EdgeError, JournalFault
    from edge.runner import Belongings, run_box
    from edge.uplink.frames import Credentials
    from provisioning.box_identity import Identity
    from provisioning.errors import ProvisioningError

    for point in load_entry_points():
        if isinstance(point, NotLoaded):
            print(f"tallybox: driver {point.name} is not loaded: {point.reason}", file=sys.stderr)
    try:
        adopt(config)
        settings = box_settings.read(config)
        who = Identity.load(identity) if identity else None
        given = Belongings(
            who=Credentials(who.box_id, who.key_id, who.sign) if who else None,
            tls=who.client_ssl_context() if who else None,
            clock=BoxClock.of_this_machine(),
            entropy=os.urandom,
            firmware=VERSION,
            certificate_until=who.certificate.not_valid_after_utc.date() if who else None,
            config=config,
        )
        _until_stopped(run_box(settings, given, announce=lambda url: _announce(kiosk=url)))
    except JournalFault as exc:
        _fail(exc, JOURNAL)
    except (EdgeError, DriverSettingsFault, ProvisioningError, OSError) as exc:
        _fail(exc)


@edge_app.command("status")
def edge_status(config: Config, as_json: Json = False) -> None:
    """What the box's journal holds and how far the cloud is known to have it; works beside a running box."""
    from edge import settings as box_settings
    from edge.errors import EdgeError
    from edge.journal.reader import JournalReader
    from edge.runner import JOURNAL as JOURNAL_FILE

    async def look(path: Path) -> dict[str, Any]:
        async with JournalReader.open(path) as reader:
            runs = (await reader.outbox()).runs
        rows = [{"run": state.run, "entries": state.tip, "acked": state.acked} for state in runs]
        return {"journal": str(path), "waiting": sum(state.tip - state.acked for state in runs), "runs": rows}

    try:
        path = box_settings.read(config).data_dir / JOURNAL_FILE
    except EdgeError as exc:
        _fail(exc)
    if not path.exists():
        _fail(f"{path} is not there: the box has not run yet")
    found = asyncio.run(look(path))
    if as_json:
        print(json.dumps(found))
        return
    print(f"{found['journal']}: {len(found['runs'])} runs, {found['waiting']} entries wait for the cloud")
    for row in found["runs"][-10:]:
        print(f"  {row['run']}  {row['acked']:>9} of {row['entries']:>9}")


@edge_app.command("devices")
def edge_devices(
    config: Annotated[Path | None, typer.Option(help="List this box's devices too.")] = None,
    page: Annotated[bool, typer.Option("--page", help="Print the page of all devices as Markdown.")] = False,
    as_json: Json = False,
) -> None:
    """The drivers that are known, and the devices a box is configured with."""
    from drivers import registry
    from drivers.page import devices_page
    from edge import settings as box_settings
    from edge.errors import EdgeError

    if page:
        print(devices_page(), end="")
        return
    registry.load_entry_points()
    drivers = [
        {
            "driver": info.name,
            "title": info.title,
            "transports": list(info.transports),
            "models": list(info.models),
            "tier": info.tier,
        }
        for info in (registry.get(name).info for name in registry.names())
    ]
    try:
        devices = [device.model_dump(mode="json") for device in box_settings.read(config).devices] if config else []
    except EdgeError as exc:
        _fail(exc)
    if as_json:
        print(json.dumps({"drivers": drivers, "devices": devices}, ensure_ascii=False))
        return
    for driver in drivers:
        print(f"{driver['driver']:16} {driver['tier']:7} {', '.join(driver['transports']):12} {driver['title']}")
    for device in devices:
        print(f"{device['id']:16} {device['driver']:16} {device['transport']}")


@edge_app.command("ports")
def edge_ports(as_json: Json = False) -> None:
    """The serial ports of this machine, what is plugged in there, and how to name it in the configuration."""
    from drivers.transports.usb import plugged
    from edge.devices.ports import as_toml, ports

    found = ports(plugged("tty"))
    if as_json:
        rows = [{"node": one.plugged.node, "transport": one.settings(), "remark": one.remark} for one in found]
        print(json.dumps(rows, ensure_ascii=False))
        return
    for one in found:
        print(f"{one.plugged.node:14} {one.plugged.path:10} {one.plugged.maker} {one.plugged.product}".rstrip())
        print(f"  transport = {as_toml(one.settings())}")
        if one.remark:
            print(f"  {one.remark}")


@edge_app.command("probe")
def edge_probe(
    port: Annotated[str, typer.Argument(help="The port to ask on. Giving it allows what is described in docs/DRIVERS.md.")],
    data_dir: Annotated[Path | None, typer.Option(help="The box's data folder: what is found is remembered there.")] = None,
    line: Annotated[list[str] | None, typer.Option(help="Try these line settings only, such as 9600-8N1.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Ask even where the answer is remembered.")] = False,
    as_json: Json = False,
) -> None:
    """Find out which device is at a serial port, without changing any measurement. The box must not run on that port."""
    from drivers import registry
    from drivers.api import LinkLost
    from drivers.transports import make_transport
    from drivers.transports.usb import plugged
    from edge.devices.ports import ports, remember, remembered
    from edge.devices.probing import find_out
    from edge.errors import EdgeError

    registry.load_entry_points()
    node = str(Path(port).resolve())
    adapter = next((one for one in ports(plugged("tty")) if one.plugged.node == node), None)
    finding = remembered(data_dir, adapter) if data_dir and adapter and not again else None
    try:
        if finding is None:
            drivers = [registry.get(name) for name in registry.names()]
            finding = asyncio.run(
                find_out(lambda setting: make_transport("serial", {"port": port, **setting.settings()}), drivers, line or ())
            )
            if data_dir and adapter:
                remember(data_dir, adapter, finding)
    except (LinkLost, EdgeError, ValueError) as exc:
        _fail(exc)
    if as_json:
        said = {"driver": finding.driver, "line": finding.line, "hint": finding.hint, "heard": finding.heard.hex()}
        print(json.dumps(said))
    elif finding.driver is not None:
        print(f"{finding.driver} at {finding.line}" + (f" ({finding.hint})" if finding.hint else ""))
    else:
        print(finding.hint or "nothing was recognised")
        if finding.heard:
            print(f"  heard at {finding.line}: {finding.heard[:64].hex(' ')}")
    if finding.driver is None:
        raise typer.Exit(1)


# --- cloud --------------------------------------------------------------------------------------------------------------------


@cloud_app.command("run")
def cloud_run(
    db: Database,
    server: Annotated[Path, typer.Option(help="Folder with the server's certificate, made by `provision server`.")],
    libs: BrowserLibs = HERE / "node_modules",
    host: str = "127.0.0.1",
    sync_port: int = 8443,
    staff_port: int = 8091,
    organisation: str = "",
    names: Annotated[
        list[str] | None, typer.Option("--name", help="Further name under which the staff pages may be called.")
    ] = None,
    zone: Annotated[str, typer.Option(help="Time zone in which the staff pages show times.")] = "Asia/Jerusalem",
    time_limit_ms: Annotated[int, typer.Option(min=0, help="Mark times of which less is certain.")] = 2000,
    blobs: Annotated[Path | None, typer.Option(help="Folder of the files that boxes send; else beside a SQLite file.")] = None,
    metrics_port: Annotated[int | None, typer.Option(help="Serve Prometheus figures there, on the same host.")] = None,
    webhook_networks: Annotated[
        list[str] | None, typer.Option("--webhook-network", help="Network of the house to which webhooks may go: 10.1.0.0/16.")
    ] = None,
    reuse_port: Annotated[bool, typer.Option("--reuse-port", help="Let other processes listen on the same ports.")] = False,
    mqtt_host: Annotated[str | None, typer.Option(help="Take frames from this broker, too.")] = None,
    mqtt_port: int = 8883,
    mqtt_identity: Annotated[Path | None, typer.Option(help="Folder of this worker's certificate for the broker.")] = None,
    oidc_issuer: Annotated[str | None, typer.Option(help="Let staff sign in at this OpenID provider, too.")] = None,
    oidc_client: Annotated[str, typer.Option(help="What the provider calls this core.")] = "tallybox",
    oidc_secret_file: Annotated[Path | None, typer.Option(help="File with the secret; else TALLYBOX_OIDC_SECRET.")] = None,
    public_address: Annotated[
        str, typer.Option(help="Where the world reaches the staff pages: codes on papers lead there.")
    ] = "",
) -> None:
    """Run the core until stopped; prints {"sync": address, "staff": address} once both are served. Migrate first."""
    from cloud.runner import CloudSettings

    with _database():
        provider = _provider(oidc_issuer, oidc_client, oidc_secret_file)
    settings = CloudSettings(
        db,
        libs,
        host=host,
        sync_port=sync_port,
        staff_port=staff_port,
        organisation=organisation,
        hosts=frozenset(names or ()),
        zone=zone,
        time_limit_ms=time_limit_ms,
        blobs=blobs,
        metrics_port=metrics_port,
        reuse_port=reuse_port,
        webhook_networks=tuple(webhook_networks or ()),
        provider=provider,
        public_address=public_address,
    )
    _serve_cloud(settings, server, lambda: _broker(mqtt_host, mqtt_port, mqtt_identity))


def _serve_cloud(settings: Any, server: Path, broker: Callable[[], Any]) -> None:
    from cloud.runner import SyncTls, run_cloud
    from provisioning.enroll import ServerFiles
    from provisioning.errors import ProvisioningError
    from provisioning.tls import server_ssl_context
    from provisioning.tls_peer import TlsPeerProtocol

    try:
        files = ServerFiles.within(server)
        context = server_ssl_context(files.certificate, files.key, files.ca, require_client=True)
        tls = SyncTls(context, TlsPeerProtocol)
        link = broker()
        with _database():
            ready = run_cloud(settings, tls, broker=link, announce=lambda sync, staff: _announce(sync=sync, staff=staff))
            _until_stopped(ready)
    except (ProvisioningError, OSError) as exc:
        _fail(exc)


def _provider(issuer: str | None, client: str, secret_file: Path | None) -> Any:
    from cloud.people.provider import Provider

    if issuer is None:
        return None
    try:
        secret = secret_file.read_text().strip() if secret_file else os.environ.get("TALLYBOX_OIDC_SECRET", "")
    except OSError as exc:
        _fail(exc)
    return Provider(issuer, client, secret)


def _broker(host: str | None, port: int, identity: Path | None) -> Any:
    from cloud.ingest.broker_link import Broker
    from provisioning.broker import ClientFiles
    from provisioning.tls import client_ssl_context

    if host is None or identity is None:
        if host is not None or identity is not None:
            _fail("--mqtt-host and --mqtt-identity go together")
        return None
    files = ClientFiles.within(identity)
    context = client_ssl_context(ca=files.ca, certificate=files.certificate, key=files.key)
    return Broker(host, port, identity.absolute().name, context)


@cloud_app.command("migrate")
def cloud_migrate(db: Database, as_json: Json = False) -> None:
    """Bring the database to this program's schema; creates a SQLite file."""
    from cloud.db.migrate import migrate

    with _database():
        revision = asyncio.run(migrate(db))
    print(json.dumps({"revision": revision}) if as_json else f"the database is at {revision}")


@cloud_app.command("box")
def cloud_box(
    box: str,
    status: Annotated[str, typer.Argument(help="active, suspended or revoked.")],
    db: Database,
    reason: Annotated[str, typer.Option(help="Why; it is kept with the event.")],
) -> None:
    """Suspend a box, shut it out for good, or let it in again."""
    from cloud.boxes.models import BoxStatus
    from cloud.boxes.registry import set_status
    from cloud.db.engine import open_sessions
    from cloud.errors import CloudError
    from cloud.kernel.actor import Actor, Taken

    if status not in list(BoxStatus):
        _fail(f"no status {status[:20]!r}: {', '.join(BoxStatus)}", 2)

    async def change() -> None:
        sessions = open_sessions(db)
        try:
            async with sessions.write() as session:
                taken = Taken(Actor.system("command line"), _now(), reason)
                await set_status(session, box=box, status=BoxStatus(status), taken=taken)
        finally:
            await sessions.engine.dispose()

    try:
        asyncio.run(change())
    except CloudError as exc:
        _fail(exc)
    print(f"box {box} is {status}")


# --- verify and decode --------------------------------------------------------------------------------------------------------


@app.command()
def verify(
    words: Annotated[list[str] | None, typer.Argument(metavar="[receipt] REF | bundle FILE", show_default=False)] = None,
    db: Annotated[str | None, typer.Option("--db", envvar="TALLYBOX_DATABASE_URL", help="Where the receipt is.")] = None,
    file: Annotated[Path | None, typer.Option(help="A file made by `edge journal export` instead.")] = None,
    key: Annotated[
        list[Path] | None, typer.Option(help="Of a file: the box's public key or certificate, or its authority's (PEM).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Recompute a receipt from its signed entries, and decode every raw frame again; or prove what was exported: a receipt's
    bundle, a journal.

    Exit 1 when it does not verify.
    """
    ref = _named(words or [])
    if isinstance(ref, Path):
        raise typer.Exit(0 if verify_bundle(ref, key or [], as_json=as_json) else NO)
    if file is not None:
        from edge.journal.proving import prove

        ok, found, text = prove(file, key[0] if key else None)
        print(json.dumps(found) if as_json else text)
        raise typer.Exit(0 if ok else NO)
    if ref is None or db is None:
        _fail("give a receipt and --db, `bundle FILE` and --key, or --file", 2)
    from cloud.db.engine import open_sessions
    from cloud.receiving.verify import VerifyReport, verify_receipt

    async def look() -> VerifyReport:
        sessions = open_sessions(db)
        try:
            async with sessions.read() as session:
                return await verify_receipt(session, ref)
        finally:
            await sessions.engine.dispose()

    with _database():
        report = asyncio.run(look())
    again = [_decoded_again(field) for field in report.fields]
    ok = report.ok and all(result is not False for result in again)
    if as_json:
        fields = [
            field.model_dump(mode="json") | {"decoded_again": result}
            for field, result in zip(report.fields, again, strict=True)
        ]
        print(json.dumps(report.model_dump(mode="json", exclude={"fields"}) | {"ok": ok, "fields": fields}, ensure_ascii=False))
    else:
        _print_report(report, again, ok=ok)
    raise typer.Exit(0 if ok else NO)


def _named(words: list[str]) -> str | Path | None:
    """A receipt's number, or the file of a bundle."""
    match words:
        case []:
            return None
        case [ref] | ["receipt", ref]:
            return ref
        case ["bundle", name]:
            return Path(name)
    _fail("give a receipt and --db, `bundle FILE` and --key, or --file", 2)


def _decoded_again(field: Any) -> bool | None:
    """Whether the frame's raw bytes give the same value through the driver; None where there is nothing to decode."""
    from drivers import registry
    from drivers.api import Reading, SettingsFault

    if field.raw_hex is None or field.driver is None or field.read_value is None:
        return None
    try:
        decoded = registry.get(field.driver).decode(bytes.fromhex(field.raw_hex), field.settings)
    except SettingsFault:
        return None
    return any(isinstance(one, Reading) and str(one.value) == field.read_value for one in decoded)


def _source(field: Any) -> str:
    match field.mode:
        case "device":
            return str(field.device)
        case "derived":
            return f"follows: {field.formula}"
        case "override":
            return f"typed by {field.by} against {field.device}: {field.reason}"
    return f"typed by {field.by}: {field.reason}"


def _print_report(report: Any, again: list[bool | None], *, ok: bool) -> None:
    print(f"{report.ref}  {report.state}  {'VERIFIED' if ok else 'DOES NOT VERIFY'}")
    for name, time in (("opened", report.opened), ("finished", report.finished)):
        print(f"  {name:8} {time}" if time is not None else f"  {name:8} -")
    for problem in report.problems:
        print(f"  ! {problem}")
    for field, result in zip(report.fields, again, strict=True):
        where = f"line {field.line}" if field.line is not None else "header"
        source = _source(field)
        print(f"  {where:8} {field.field:10} {field.value} {field.unit or ''}  [{source}]")
        print(f"           {field.time}; received {field.received_at}; the box's clock showed {field.box_time} ({field.clock})")
        raw = "" if result is None else f", raw bytes {'decode to the same' if result else 'DECODE TO SOMETHING ELSE'}"
        print(f"           entry {field.reading or field.step}, signature {field.signature}, chain {field.chain}{raw}")
        for problem in [*field.problems, *([] if result is not False else ["raw bytes and value differ"])]:
            print(f"           ! {problem}")


@app.command()
def decode(
    protocol: Annotated[str | None, typer.Option(help="For example mt-sics; see --list.")] = None,
    params: Annotated[str, typer.Option(help="JSON object with what the wire does not carry.")] = "{}",
    jsonl: Annotated[bool, typer.Option(help="One JSON object a line: protocol, hex or text or raw, params.")] = False,
    known: Annotated[bool, typer.Option("--list", help="Name the protocols.")] = False,
    profile: Annotated[Path | None, typer.Option(help="A profile's TOML file, to be tried on the capture.")] = None,
) -> None:
    """Say what captured bytes mean: raw bytes on standard input, one JSON object a line on standard output."""
    from drivers import decoding

    if known:
        print("\n".join(decoding.protocols()))
        return
    if profile is not None:
        _print_decoded(_decode_by_profile(profile))
        return
    if jsonl:
        for line in sys.stdin.buffer:
            if line.strip():
                _print_decoded(_decode_line(line, protocol, params))
        return
    if protocol is None:
        _fail("--protocol is needed, or --profile, or --jsonl", 2)
    _print_decoded(decoding.decode(protocol, {"hex": sys.stdin.buffer.read().hex()}, _params(params)))


def _decode_by_profile(profile: Path) -> list[Any]:
    from drivers.profiles import ProfileFault, decode_with

    try:
        return list(decode_with(profile, sys.stdin.buffer.read()))
    except ProfileFault as exc:
        _fail(exc)


def _decode_line(line: bytes, protocol: str | None, params: str) -> list[Any]:
    from drivers import decoding

    try:
        asked = json.loads(line)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        return [{"error": True, "reason": "not a JSON object"}]
    name, given = asked.pop("protocol", protocol), asked.pop("params", None)
    if not isinstance(name, str) or not isinstance(given, dict | None):
        return [{"error": True, "reason": "protocol is a name and params an object"}]
    return list(decoding.decode(name, asked, _params(params) if given is None else given))


def _params(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        _fail("--params is a JSON object", 2)
    return found


def _print_decoded(results: list[Any]) -> None:
    for result in results:
        print(json.dumps(result, ensure_ascii=False), flush=True)


# --- sim ----------------------------------------------------------------------------------------------------------------------


@sim_app.command("list")
def sim_list(as_json: Json = False) -> None:
    """Name the simulated devices."""
    from firmware_sim.catalog import SIMULATORS

    if as_json:
        print(json.dumps([{"name": one.name, "title": one.title, "speaks": one.speaks} for one in SIMULATORS]))
        return
    for one in SIMULATORS:
        print(f"{one.name:16} {one.title}: {one.speaks}")


@sim_app.command("run")
def sim_run(
    name: str,
    tcp: Annotated[int | None, typer.Option(help="Port on the loopback address.")] = None,
    pty: Annotated[Path | None, typer.Option(help="Path of a pseudo-terminal to make.")] = None,
    load: Annotated[str, typer.Option(help="Grams on the scale.")] = "0",
    seed: int = 0,
    control: Annotated[int | None, typer.Option(help="Port for actions, one JSON object a line; 0 for a free one.")] = None,
) -> None:
    """Serve one simulated device to anyone who connects, until stopped."""
    from firmware_sim.catalog import serve
    from firmware_sim.errors import SimError

    def ready(site: Any) -> None:
        _announce(**{device: one.address for device, one in site.devices.items()}, control=site.control_port)

    try:
        _until_stopped(
            serve(name, tcp_port=tcp, pty_path=pty, seed=seed, load_grams=load, control_port=control, announce=ready)
        )
    except (SimError, OSError) as exc:
        _fail(exc)


@sim_app.command("site")
def sim_site(
    scenario: Annotated[str, typer.Argument(help="A TOML file, or the name of a scenario that comes with the package.")],
    directory: Annotated[Path, typer.Option(help="Where the pseudo-terminals are linked.")],
) -> None:
    """Run a whole site until stopped; prints {"control": port} once its devices can be reached."""
    from firmware_sim.catalog import SCENARIOS
    from firmware_sim.catalog import scenario as shipped
    from firmware_sim.config import read_site
    from firmware_sim.errors import SimError
    from firmware_sim.site import run_site

    async def run(config: Any) -> None:
        async with run_site(config, directory=directory) as site:
            _announce(**{device: one.address for device, one in site.devices.items()}, control=site.control_port)
            await asyncio.get_running_loop().create_future()

    try:
        config = shipped(scenario) if scenario in SCENARIOS else read_site(Path(scenario).read_text(encoding="utf-8"))
        _until_stopped(run(config))
    except (SimError, OSError) as exc:
        _fail(exc)


# --- provision ----------------------------------------------------------------------------------------------------------------

Authority = Annotated[Path, typer.Option("--ca", help="The authority's folder.")]


@provision_app.command("init")
def provision_init(
    ca: Authority, name: Annotated[str, typer.Option(help="How the authority calls itself.")] = "Tallybox"
) -> None:
    """Make a local certificate authority."""
    from provisioning.ca import init_authority
    from provisioning.errors import ProvisioningError

    try:
        init_authority(ca, name=name, now=_now())
    except (ProvisioningError, OSError) as exc:
        _fail(exc)
    print(f"the authority is in {ca}")


@provision_app.command("server")
def provision_server(
    ca: Authority,
    directory: Annotated[Path, typer.Option(help="Where the server's key and certificate go.")],
    names: Annotated[list[str], typer.Option("--name", help="DNS name or IP address; more than one may be given.")],
) -> None:
    """Make or renew the certificate of the cloud's own server."""
    from provisioning.ca import load_authority
    from provisioning.enroll import enroll_server
    from provisioning.errors import ProvisioningError

    try:
        enroll_server(directory, load_authority(ca), names=names, now=_now())
    except (ProvisioningError, OSError) as exc:
        _fail(exc)
    print(f"the server's certificate is in {directory}")


provision_app.command("broker")(broker_command(_now))


@provision_app.command("enroll")
def provision_enroll(
    ca: Authority,
    directory: Annotated[Path, typer.Option(help="The box's own folder for its key and certificate.")],
    db: Annotated[
        str | None, typer.Option("--db", envvar="TALLYBOX_DATABASE_URL", help="Register the box in this core.")
    ] = None,
    station: Annotated[str | None, typer.Option(help="The station where the box stands.")] = None,
    name: str = "box",
    tenant: str = "local",
    renew: bool = False,
    as_json: Json = False,
) -> None:
    """Give a box a key and a certificate, and let the core know it."""
    from provisioning.errors import ProvisioningError

    try:
        box = _enroll(ca, directory, tenant=tenant, renew=renew)
    except (ProvisioningError, OSError) as exc:
        _fail(exc)
    if db is not None:
        with _database():
            asyncio.run(_register(db, box, name=name, station=station))
    print(json.dumps({"box": box.box_id, "key_id": box.key_id.hex()}) if as_json else f"box {box.box_id} is enrolled")


def _enroll(ca: Path, directory: Path, *, tenant: str, renew: bool = False) -> Any:
    from provisioning.box_identity import Identity
    from provisioning.ca import load_authority
    from provisioning.enroll import enroll
    from provisioning.errors import NotThere
    from sync_protocol.ids import new_box_id

    now = _now()
    try:
        box = Identity.load(directory).box_id
    except NotThere:
        box = new_box_id(int(now.timestamp() * 1000), os.urandom(10))
    return enroll(directory, load_authority(ca), box_id=box, tenant=tenant, now=now, renew=renew)


async def _register(db: str, box: Any, *, name: str, station: str | None, demo: bool = False) -> None:
    from cloud.boxes.registry import register_box
    from cloud.db.engine import open_sessions
    from cloud.kernel.actor import Actor, Taken

    sessions = open_sessions(db)
    try:
        async with sessions.write() as session:
            taken = Taken(Actor.system("command line"), _now())
            await register_box(session, box=box.box_id, name=name, spki=box.spki, station=station, taken=taken)
            if demo:
                from cloud.masters.demo import bind_devices

                await bind_devices(session, box.box_id)
    finally:
        await sessions.engine.dispose()


# --- bench --------------------------------------------------------------------------------------------------------------------


@app.command()
def bench(only: Annotated[str | None, typer.Argument(help="One part, for example journal; all without it.")] = None) -> None:
    """Run the benchmarks of a source checkout; results go to bench/results/latest.json."""
    import runpy

    script = HERE / "bench" / "run.py"
    if not script.exists():
        _fail("the benchmarks come with a source checkout only")
    sys.argv = [str(script), *([only] if only else [])]
    runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    main()
