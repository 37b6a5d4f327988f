"""What is destroyed with a job."""

from direct311.routing.job import Job
from direct311.runtime.disposition import Destroyed


async def remove(job: Job) -> Destroyed:
    """Routing's only data about a record is the document that becomes the tombstone."""
    return Destroyed(documents=1 if job.asked or job.located else 0)
