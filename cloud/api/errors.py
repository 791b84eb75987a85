"""What can stop a request of a program.

ApiFault
├── BadRequest        the program's: the request cannot be read as one of ours
├── NotRecognised     the program's: no key and no session, or none that opens anything now
├── WrongOrigin       the browser's: a change without the session's own token, or from another site
├── MustChange        the person's: a new password comes first, at the pages
├── VersionMissing    the program's: a change that does not say which version it rests on
├── MovedOn           nobody's: somebody else changed the record since it was read
├── NoSuchFormat      the program's: records are not given away in this format
├── NotWhole          the program's: some rows of many cannot be taken, and so none was
├── TooLarge          the program's: more was sent than the route takes
├── WrongType         the program's: the body is not of a type that the route takes
└── TooOften          the program's: its key is used more often than it may be
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cloud.errors import CloudError


class ApiFault(CloudError):
    """Root of what this package raises. `code` ends the problem's type and is the translation key below `fault.`."""

    status = 500

    def __init__(self, code: str, values: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.values = dict(values or {})
        self.headers = dict(headers or {})


class BadRequest(ApiFault):
    """The request cannot be read; `code` says what of it."""

    status = 400


class NotRecognised(ApiFault):
    """Nobody whom we know asks."""

    status = 401

    def __init__(self) -> None:
        super().__init__("not_signed_in", headers={"WWW-Authenticate": 'Bearer realm="tallybox"'})


class WrongOrigin(ApiFault):
    """A browser's change without what only our own pages know."""

    status = 403

    def __init__(self) -> None:
        super().__init__("wrong_origin")


class MustChange(ApiFault):
    """Nothing but choosing a new password is open to this person."""

    status = 403

    def __init__(self) -> None:
        super().__init__("must_change")


class VersionMissing(ApiFault):
    """`If-Match` is demanded (RFC 6585, 3)."""

    status = 428

    def __init__(self) -> None:
        super().__init__("version_missing")


class MovedOn(ApiFault):
    """The record is not at the version that `If-Match` names."""

    status = 412

    def __init__(self, ref: str, now: int) -> None:
        super().__init__("conflict", {"ref": ref, "now": str(now)}, {"ETag": f'"{now}"'})


class NoSuchFormat(ApiFault):
    """There is no file of this kind."""

    status = 404

    def __init__(self) -> None:
        super().__init__("not_there")


class NotWhole(ApiFault):
    """Nothing was saved; `errors` says of which row (`key`) which field is wrong."""

    status = 422

    def __init__(self, errors: Sequence[Mapping[str, Any]]) -> None:
        super().__init__("not_whole")
        self.errors = errors


class TooLarge(ApiFault):
    """The body is larger than the route takes."""

    status = 413

    def __init__(self, limit: int) -> None:
        super().__init__("too_large", {"max": str(limit)})


class WrongType(ApiFault):
    """The body's type is none of the route's."""

    status = 415

    def __init__(self, wanted: str) -> None:
        super().__init__("wrong_type", {"wanted": wanted})


class TooOften(ApiFault):
    """The key has used up its requests; in `wait_s` there is another one."""

    status = 429

    def __init__(self, wait_s: int) -> None:
        super().__init__("too_often", {"wait_s": str(wait_s)}, {"Retry-After": str(wait_s)})
