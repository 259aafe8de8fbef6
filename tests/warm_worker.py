"""The process that prepares data, forked from a warm one.

Hundreds of tests of the fast ring prepare data, and to start Python and import sharpen takes the worker longer than all
else that it does for them. So one process a test runner imports it once and forks for each request; what the worker is
told, answers, prints and dies of is as before. In the full ring, and wherever a test changes ``PYTHONPATH`` or the
current folder, it is started as users start it.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from types import SimpleNamespace, TracebackType
from typing import IO, Any


class Warm:
    """Forks workers on request; one at a time."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-P", __file__, str(theirs.fileno())]
        self.server = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        theirs.close()
        self.socket = ours
        self.where = _where()

    def namespace(self) -> SimpleNamespace:
        """What stands where ``subprocess`` stood."""
        return SimpleNamespace(PIPE=subprocess.PIPE, Popen=self.started)

    def started(self, command: Sequence[str], stdout: int, stderr: IO[bytes]) -> Any:
        """A worker: forked where nothing has changed what it would import."""
        if _where() != self.where or self.server.poll() is not None:
            return subprocess.Popen(command, stdout=stdout, stderr=stderr)
        return Forked(self.socket, command[-1], stderr)

    def stop(self) -> None:
        """End the server."""
        self.socket.close()
        self.server.wait()


def _where() -> tuple[str | None, str]:
    return os.environ.get("PYTHONPATH"), os.getcwd()


class Forked:
    """What is used of ``Popen``."""

    def __init__(self, server: socket.socket, request: str, stderr: IO[bytes]) -> None:
        self.server = server
        self.returncode: int | None = None
        read, write = os.pipe()
        asked = json.dumps({"request": request, "cwd": os.getcwd(), "env": dict(os.environ)}).encode()
        socket.send_fds(server, [len(asked).to_bytes(8, "big")], [write, stderr.fileno()])
        server.sendall(asked)
        os.close(write)
        self.pid = int.from_bytes(server.recv(8, socket.MSG_WAITALL), "big")
        self.stdout = os.fdopen(read, "rb")

    def kill(self) -> None:
        """End it at once."""
        os.kill(self.pid, 9)

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stdout.close()
        self.returncode = int.from_bytes(self.server.recv(8, socket.MSG_WAITALL), "big", signed=True)


def _child(said: dict[str, Any], out: int, err: int) -> None:
    """Do what a worker that was just started would do, and end as it would."""
    import tempfile

    from sharpen.data import sealing

    os.dup2(out, 1)
    os.dup2(err, 2)
    os.chdir(said["cwd"])
    os.environ.clear()
    os.environ.update(said["env"])
    tempfile.tempdir = None
    status = 1
    try:
        sealing.main(said["request"])
        status = 0
    except SystemExit as e:
        status = e.code if isinstance(e.code, int) else 1
    except BaseException:  # said as Python says it, on the worker's own standard error
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def serve(number: int) -> None:
    """Answer until nobody asks any more."""
    import sharpen.data.sealing  # noqa: F401 (what is imported here is in every fork)

    server = socket.socket(fileno=number)
    while True:
        head, files, _, _ = socket.recv_fds(server, 8, 2)
        if not head:
            return
        size = int.from_bytes(head, "big")
        said = json.loads(server.recv(size, socket.MSG_WAITALL))
        pid = os.fork()
        if not pid:
            server.close()
            _child(said, *files)
        for file in files:
            os.close(file)
        server.sendall(pid.to_bytes(8, "big"))
        _, status = os.waitpid(pid, 0)
        server.sendall(os.waitstatus_to_exitcode(status).to_bytes(8, "big", signed=True))


if __name__ == "__main__":
    serve(int(sys.argv[1]))
