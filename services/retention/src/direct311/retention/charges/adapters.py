"""The county's fees from their file."""

from pathlib import Path

from direct311.retention.charges.domain import Fees, fee_problems
from direct311.runtime.datafile import load, packaged


def load_fees(path: Path | None = None) -> Fees:
    """The county's own file at `path`, or the packaged one.

    :raises DataFileError: the file is invalid.
    """
    return load(Fees, path or packaged("direct311.retention", "fees.yaml"), fee_problems).content
