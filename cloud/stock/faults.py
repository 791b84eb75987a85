"""What the ledger refuses beyond a plain Refused.

CloudError
├── QuantGone              nobody's: a quant was taken away while it was being locked; whoever locks begins again
└── Refused
    ├── NotEnough          what is to go from a place is not there, or promised to somebody else
    ├── LotDiffers         the lot is known with another expiry date, or as another sort of lot
    └── Conflict
        └── MoveDiffers    a move of this key was written before, about something else
"""

from cloud.errors import CloudError, Conflict, Refused


class QuantGone(CloudError):
    """A row was there when it was asked for, and gone when it was to be locked. Does not leave the ledger."""


class NotEnough(Refused):
    """Code `not_enough`; values product, place, wanted, there, reserved."""


class LotDiffers(Refused):
    """Code `lot_differs`; values product, lot, field, known, said."""


class MoveDiffers(Conflict):
    """Code `move_differs`; value key."""
