"""What can go wrong while a paper is made.

PaperFault
├── FontsMissing   the installer's: a font that every paper needs is not where it should be
└── TypesetFault   ours: a template and its data do not fit together
"""

from cloud.errors import CloudError


class PaperFault(CloudError):
    """Root of what this package raises beside refusals."""


class FontsMissing(PaperFault):
    """The message names the file."""


class TypesetFault(PaperFault):
    """The message is the typesetter's own."""
