"""What can go wrong in the cloud core.

CloudError
├── SettingsFault          the operator's: the configuration cannot be used
├── DatabaseNewer          the operator's: the database belongs to a newer program
├── NotFound               the asker's: there is no such record
├── Refused                the asker's: the action is not possible; `code` is a translation key
│   ├── Conflict           the record moved on since the asker read it
│   ├── WrongState         the record's state has no such action
│   ├── Forbidden          the actor's role may not do this
│   ├── ReasonMissing      the action asks for a reason
│   ├── GuardFailed        a condition of the action does not hold
│   └── SignInRefused      wrong login or password, or locked out
├── BoxFault               the box's: its certificate is not one we know, or it is not allowed in
├── BrokerAway             the broker's: it cannot be reached, or ended the connection
└── StepFault              the box's: a step cannot be read or contradicts the ones before it
"""


class CloudError(Exception):
    """Root of everything the cloud core raises by itself."""


class SettingsFault(CloudError):
    """The configuration cannot be used; the message names the setting."""


class DatabaseNewer(CloudError):
    """The database was migrated by a newer program and is left alone."""


class NotFound(CloudError):
    """There is no record of this kind with this reference."""

    def __init__(self, kind: str, ref: str) -> None:
        super().__init__(f"no {kind} {ref[:60]!r}")
        self.kind = kind
        self.ref = ref


class Refused(CloudError):
    """The action is not possible; `code` is a translation key and `values` fill its placeholders."""

    def __init__(self, code: str, **values: str) -> None:
        super().__init__(f"refused: {code} {values or ''}".rstrip())
        self.code = code
        self.values = values


class Conflict(Refused):
    """The record has another version than the one the actor saw."""


class WrongState(Refused):
    """The machine has no transition of this name from the record's state."""


class Forbidden(Refused):
    """The actor's role may not take this action."""


class ReasonMissing(Refused):
    """The action is taken with a reason or not at all."""


class GuardFailed(Refused):
    """A condition of the action does not hold; `code` says which."""


class SignInRefused(Refused):
    """Nobody is signed in: `wrong` login or password, or `locked` until a time."""


class BoxFault(CloudError):
    """The box behind a certificate is unknown, another one, or not allowed in; `code` says which."""

    def __init__(self, code: str, subject: str) -> None:
        super().__init__(f"box refused: {code} ({subject[:64]!r})")
        self.code = code
        self.subject = subject


class BrokerAway(CloudError):
    """The broker cannot be reached or ended the connection; it is tried again."""


class StepFault(CloudError):
    """A step of a job cannot be used; `code` says why. The entry stays stored, nothing is made of it."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail[:200]}")
        self.code = code
        self.detail = detail[:200]
