"""Devices behind an MQTT broker: what they publish, each message in an envelope whose origin is the topic.

Devices that name the same broker in the same way share one connection.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, field_validator, model_validator

from drivers.api import LinkLost, Settings, Transport
from drivers.envelope import EnvelopeBuffer, Message
from drivers.mqtt.topics import MAX_FILTERS, check_filter, topic_of
from drivers.passwords import NAME, PasswordFault, from_environment, from_file
from drivers.settings import read_settings
from drivers.transports.broker_connection import Address, BrokerConnection, Inbox
from drivers.transports.shared import Shared


class BrokerSettings(Settings):
    """Where the broker is, who the box is there, and which topics are the device's."""

    host: str = Field(min_length=1, max_length=253, description="Name or address of the broker.")
    port: int = Field(default=1883, ge=1, le=65535, description="Its port: 1883, or 8883 with TLS.")
    topics: tuple[str, ...] = Field(
        min_length=1,
        max_length=MAX_FILTERS,
        description="Topics of this device; + stands for one level, # for all that follow.",
    )
    user: str | None = Field(default=None, max_length=256, description="Name to log in with.")
    password_file: str | None = Field(default=None, description="File that holds the password, and nothing else.")
    password_env: str | None = Field(
        default=None, pattern=NAME, description="The password is in the environment variable TALLYBOX_SECRET_ with this name."
    )
    tls: bool = Field(default=False, description="Whether the connection is encrypted and the broker has to prove its name.")
    ca: str | None = Field(
        default=None, description="Certificate authority of the broker, a PEM file; the system's when left out."
    )
    client_id: str = Field(
        default="", max_length=128, description="The box's name at the broker; the broker gives one when left out."
    )
    keep_alive_s: int = Field(
        default=15, ge=5, le=600, description="Silence after which the broker is asked for a sign of life."
    )
    connect_timeout_s: float = Field(default=5.0, gt=0, le=60, description="How long a connection may take to come about.")

    @field_validator("topics")
    @classmethod
    def _filters(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(check_filter(one) for one in given)

    @model_validator(mode="after")
    def _fits_together(self) -> "BrokerSettings":
        if self.password_file is not None and self.password_env is not None:
            raise ValueError("either password_file or password_env")
        if (self.password_file or self.password_env) and self.user is None:
            raise ValueError("a password needs a user")
        if self.ca is not None and not self.tls:
            raise ValueError("a certificate authority needs tls = true")
        return self


class BrokerLink:
    """One device's part of a connection."""

    def __init__(self, settings: BrokerSettings, shared: Shared) -> None:
        self._settings = settings
        self._shared = shared
        self._key: tuple[str, Address] | None = None
        self._connection: BrokerConnection | None = None
        self._inbox = Inbox(settings.topics)

    async def open(self) -> None:
        """Be connected and subscribed. Raises LinkLost."""
        if self._connection is not None:
            return
        address = self._address()
        key = ("mqtt", address)
        connection = await self._shared.hold(key, lambda: BrokerConnection(address))
        self._key, self._connection, self._inbox = key, connection, Inbox(self._settings.topics)
        try:
            await connection.join(self._inbox)
        except BaseException:
            self._shared.drop(key, connection)
            await self.close()
            raise

    async def read(self) -> bytes:
        """One message in its envelope. Raises LinkLost when the connection is gone."""
        connection = self._opened()
        try:
            return await connection.next(self._inbox)
        except LinkLost:
            if self._key is not None:
                self._shared.drop(self._key, connection)
            raise

    async def write(self, data: bytes) -> None:
        """Envelopes; each is published under its origin. Raises LinkLost."""
        connection = self._opened()
        for one in EnvelopeBuffer().feed(data):
            if not isinstance(one, Message):
                raise LinkLost("a broker takes messages only")
            await connection.publish(topic_of(one.origin)[0], one.payload)

    async def close(self) -> None:
        """Never raises; a reader that waits meanwhile gets LinkLost."""
        key, connection = self._key, self._connection
        self._key = self._connection = None
        if key is None or connection is None:
            return
        connection.leave(self._inbox)
        await self._shared.release(key, connection)

    def _opened(self) -> BrokerConnection:
        if self._connection is None:
            raise LinkLost(f"MQTT broker {self._settings.host}:{self._settings.port} is not open")
        return self._connection

    def _address(self) -> Address:
        wanted = self._settings
        return Address(
            host=wanted.host,
            port=wanted.port,
            user=wanted.user,
            password=self._password(),
            ca=wanted.ca,
            tls=wanted.tls,
            client_id=wanted.client_id,
            keep_alive_s=wanted.keep_alive_s,
            connect_s=wanted.connect_timeout_s,
        )

    def _password(self) -> str | None:
        """Read each time: a password that was changed is used at the next connection. Raises LinkLost."""
        wanted = self._settings
        try:
            if wanted.password_env is not None:
                return from_environment(wanted.password_env, os.environ)
            return None if wanted.password_file is None else from_file(Path(wanted.password_file))
        except PasswordFault as exc:
            where = f"{wanted.password_file}: " if wanted.password_file is not None else ""
            raise LinkLost(f"there is no password for the broker: {where}{exc}") from exc


def make(settings: Mapping[str, object], shared: Shared) -> Transport:
    """A closed link. Raises SettingsFault."""
    return BrokerLink(read_settings(BrokerSettings, settings), shared)
