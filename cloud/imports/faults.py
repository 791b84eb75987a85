"""What can be wrong with a file or with what is asked of an import.

CloudError
└── Refused
    ├── FileRefused      the sender's: the file cannot be read; `code` says why, `values` where
    ├── MappingRefused   the asker's: columns and fields do not go together
    └── ExportRefused    the asker's: the rows do not fit into a file of this kind
"""

from cloud.errors import Refused


class FileRefused(Refused):
    """The file cannot be read; nothing of it was kept."""


class MappingRefused(Refused):
    """The mapping cannot be used; `code` says why, `values` for which column or field."""


class ExportRefused(Refused):
    """The rows cannot be written into such a file."""
