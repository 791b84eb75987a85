"""What can go wrong on the box.

EdgeError
├── SettingsFault      the box's configuration cannot be used
├── JournalFault       the journal cannot take or give entries
│   ├── JournalBroken  a commit failed: nothing of it may be believed, the journal goes on in a new run
│   ├── JournalDamaged what the journal's file holds is not what was written
│   └── JournalFull    there is no room: nothing of it was written, nothing that is there was touched
├── MirrorFault        the mirror's database cannot be used
├── ListenerBehind     a reader of the devices' events was too slow
├── PictureFailed      a camera gave no picture that could be kept; `code` says why
├── TakeRefused        a reading cannot be taken now; `code` says why
└── JobRefused         the operator's action does not fit the job's state; `code` says why
"""


class EdgeError(Exception):
    """Root of everything the box raises by itself."""


class SettingsFault(EdgeError):
    """The box's configuration cannot be used; the message names the setting."""


class JournalFault(EdgeError):
    """The journal cannot take or give entries."""


class JournalBroken(JournalFault):
    """A commit failed: nothing after the last confirmed entry may be believed; the journal goes on in a new run."""


class JournalDamaged(JournalFault):
    """What the journal's file holds is not what was written; it is set aside and salvaged when the journal is opened."""


class JournalFull(JournalFault):
    """There is no room on the disk: what was asked for was not saved, and nothing that is there was given up for it."""


class MirrorFault(EdgeError):
    """The mirror's database cannot be used."""


class ListenerBehind(EdgeError):
    """A reader of the devices' events was too slow and has missed some: it must begin anew."""


class TakeRefused(EdgeError):
    """A reading cannot be taken now; `code` is a translation key: `lost`, `no_data`, `motion`, `overload`, `underload`..."""

    def __init__(self, code: str) -> None:
        super().__init__(f"the reading cannot be taken: {code}")
        self.code = code


class PictureFailed(EdgeError):
    """No picture was kept. `code` is a translation key: `lost`, `no_answer`, `refused`, `no_picture`, `settings`, `not_kept`,
    `busy`, `no_camera`; `reason` says more, and `word` is the camera's own for a refusal."""

    def __init__(self, code: str, reason: str | None = None, *, word: str | None = None) -> None:
        super().__init__(f"no picture: {code}" if reason is None else f"no picture: {code}: {reason}")
        self.code = code
        self.reason = reason
        self.word = word


class JobRefused(EdgeError):
    """The operator's action does not fit; `code` is a translation key and `values` fill its placeholders."""

    def __init__(self, code: str, **values: str) -> None:
        super().__init__(f"refused: {code} {values or ''}".rstrip())
        self.code = code
        self.values = values
