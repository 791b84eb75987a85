"""What can stop a page.

WebFault
├── SetupFault           ours or the installer's: a file that the pages need is missing or broken
├── NotSignedIn          the visitor's: no session, or one that has ended
├── WrongOrigin          the visitor's browser: a change without the session's own token, or from another site
├── MustChange           the visitor's: somebody else chose the password, a new one comes first
├── NotProved            the visitor's: what they want asks who they are once more
├── TooOften             the program's: its key is used more often than it may be
├── NotAllowed           the visitor's: the role does not reach so far
├── NotThere             the visitor's: there is no such page or record
├── TooLarge             the visitor's: more was sent than any form of ours holds
├── Refused              the visitor's: the record's rules do not allow it now
├── DatabaseAway         ours: the database is locked or restarting; nothing was saved
└── Moved                nobody's: someone else changed the record in the meantime
"""

from cloud.web.i18n import Values


class WebFault(Exception):
    """Root of everything this package raises. `code` is both the translation key below `fault.` and the `code` of a problem."""

    status = 500

    def __init__(self, code: str, values: Values | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.values: Values = values or {}


class SetupFault(WebFault):
    """The installation is not whole; raised while the app is built, never during a request."""


class NotSignedIn(WebFault):
    """The page needs a session."""

    status = 401

    def __init__(self) -> None:
        super().__init__("not_signed_in")


class WrongOrigin(WebFault):
    """The request would change something and does not carry what only our own pages know."""

    status = 403

    def __init__(self) -> None:
        super().__init__("wrong_origin")


class NotAllowed(WebFault):
    """The visitor's role may not do this."""

    status = 403

    def __init__(self) -> None:
        super().__init__("not_allowed")


class MustChange(WebFault):
    """Nothing but choosing a new password is open to this person."""

    status = 403

    def __init__(self) -> None:
        super().__init__("must_change")


class NotProved(WebFault):
    """The visitor has to show again who they are."""

    status = 403

    def __init__(self) -> None:
        super().__init__("not_proved")


class TooOften(WebFault):
    """The key has used up its requests; in `wait_s` there is another one."""

    status = 429

    def __init__(self, wait_s: float) -> None:
        super().__init__("too_often")
        self.wait_s = wait_s


class NotThere(WebFault):
    """No such page or record."""

    status = 404

    def __init__(self) -> None:
        super().__init__("not_there")


class TooLarge(WebFault):
    """The body is larger than any form of ours."""

    status = 413

    def __init__(self) -> None:
        super().__init__("too_large")


class DatabaseAway(WebFault):
    """The database cannot be asked now."""

    status = 503

    def __init__(self) -> None:
        super().__init__("database_unavailable")


class Refused(WebFault):
    """The record's rules refuse; `code` says which rule."""

    status = 422


class Moved(WebFault):
    """The record is no longer the version that the visitor looked at; `kind` says of which kind it is."""

    status = 409

    def __init__(self, ref: str, kind: str = "receipt") -> None:
        super().__init__("moved" if kind == "receipt" else f"moved_{kind}", {"ref": ref})
        self.ref = ref
        self.kind = kind
