"""Every table of the core, imported so that the metadata is whole. Only migrations need this."""

from cloud.around import models as around
from cloud.blobs import models as blobs
from cloud.boxes import commands, health
from cloud.boxes import models as boxes
from cloud.clocks import models as clocks
from cloud.db import settings_table
from cloud.db.base import Base
from cloud.hooks import models as hooks
from cloud.imports import models as imports
from cloud.ingest import models as ingest
from cloud.jobs import models as jobs
from cloud.kernel import models as kernel
from cloud.masters import models as masters
from cloud.mirror import models as mirror
from cloud.objects import models as objects
from cloud.papers import models as papers
from cloud.people import models as people
from cloud.receiving import models as receiving
from cloud.stock import models as stock
from cloud.trade import models as trade
from cloud.transfers import models as transfers

METADATA = Base.metadata
SUBJECTS = (
    around,
    blobs,
    boxes,
    clocks,
    commands,
    health,
    settings_table,
    hooks,
    imports,
    ingest,
    jobs,
    kernel,
    masters,
    mirror,
    objects,
    papers,
    people,
    receiving,
    stock,
    trade,
    transfers,
)
