"""What can go wrong, as one small family, and the exit code by which an operator tells one from another.

A bad row is data and a bad file is a receipt: neither is an exception. Exceptions are for what stops a
command. Their messages name files, fields, codes and counts, never a value of a person.
"""


class DatasachError(Exception):
    """Something stops this command; the message says what, where and what to do."""

    exit_code = 1


class SpecError(DatasachError):
    """The project's declarations (YAML) say something we cannot accept."""

    exit_code = 10


class UnreadableExtract(DatasachError):
    """A file cannot be read. Raised inside `extract` only; becomes a REJECTED receipt there."""

    exit_code = 11

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class UnlinkableRecords(DatasachError):
    """The records handed to `link` are not what the linkage document describes."""

    exit_code = 13


class ContractBroken(DatasachError):
    """What we are about to publish is not what the contract promises."""

    exit_code = 12


class GateClosed(DatasachError):
    """At least one database may not be released tonight; readers keep the last good release."""

    exit_code = 20


class WarehouseBusy(DatasachError):
    """Another run holds the warehouse."""

    exit_code = 30


class WarehouseDamaged(DatasachError):
    """A file of the warehouse is missing or is not what its hash says."""

    exit_code = 30


class AccessRefused(DatasachError):
    """The actor, the purpose, the territory or a consent does not allow it; the access log says so too."""

    exit_code = 50


class MachineTrouble(DatasachError):
    """A disk is full, failing or read-only. Nothing half was published; the same command goes on later."""

    exit_code = 31


EXIT_CODES = {
    0: "everything done, every database released",
    1: "our bug: an invariant is broken",
    2: "usage: the command was called with words it does not know",
    10: "a declaration of the project is wrong",
    11: "nothing in the inbox could be read",
    12: "a table about to be published breaks its contract",
    13: "records to be linked are not what their linkage document describes",
    20: "at least one database was withheld by the gate",
    21: "complete, but a source that was due has not come or could not be read",
    22: "most of the night could not be read: nothing was released, readers keep the last release",
    30: "the warehouse is busy or damaged",
    31: "the disk is full or failing; the same command goes on where it stopped",
    40: "a signature, an evidence file or the chain of nightly heads does not hold",
    50: "refused: role, purpose, territory or consent does not allow it",
    51: "identifiers were found outside their zone",
    52: "this machine or its settings are not fit to run",
}
