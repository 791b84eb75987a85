"""What can end the work on a job.

JobFault
├── LeaseLost      nobody's: another worker has the job now; nothing more may be written for it
├── CancelAsked    a person's: somebody wants the job to stop
└── GiveUp         the job's: trying again is of no use
"""

from cloud.errors import CloudError


class JobFault(CloudError):
    """Root of what jobs raise."""


class LeaseLost(JobFault):
    """Another worker took the job over, or it was ended: the transaction must not be committed."""


class CancelAsked(JobFault):
    """Somebody asked the job to stop. What was committed before stays."""


class GiveUp(JobFault):
    """Raised by a handler that knows that another try ends in the same way; the message is shown."""
