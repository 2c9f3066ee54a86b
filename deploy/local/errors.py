"""Why the local stack could not do what it was asked; the message is one a developer can act on."""


class LocalStackError(Exception):
    """Base of every reason below; run.py prints the message and exits with 1."""


class PortTaken(LocalStackError):
    """Another program listens on a port that the stack needs."""


class AlreadyRunning(LocalStackError):
    """Another `make run` works in this tree."""


class ProgramMissing(LocalStackError):
    """A program that the stack needs is not installed, and cannot be installed from here."""


class ChildDied(LocalStackError):
    """A process of the stack ended by itself."""


class NotInTime(LocalStackError):
    """Something that was waited for did not happen within its deadline."""


class DeployFailed(LocalStackError):
    """CloudFormation refused the data plane."""


class DatabaseRefused(LocalStackError):
    """The database server cannot be used: bad address, login or rights."""


class SampleFailed(LocalStackError):
    """The sample feed did not go through."""
