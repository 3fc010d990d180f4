"""A command run in one's own place: it keeps terminal, signals, open files and its exit code.

The child stays in the caller's process group, so that Ctrl-C, Ctrl-Z and `fg` reach it as they would without us, and
whoever kills the group kills both. A signal sent to us alone is passed on; one that reached the whole group, or
everything in the job as SLURM does, is not, or the child would see it twice. Which of the two it was cannot be read
from the signal. A listener can tell: a second process of the same group that blocks every signal, so that those it
was sent stay pending where the kernel shows them.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any

NOT_FOUND, NOT_EXECUTABLE, KILLED_BY = 127, 126, 128
"""Exit codes of a shell: no such command, one that cannot be run, and the base to which a signal's number is added."""

_PASSED_ON = (
    "SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGXCPU", "SIGCONT", "SIGTSTP",
)  # fmt: skip
_FROM_KERNEL = 128  # si_code SI_KERNEL of Linux: from the terminal, to the whole foreground group
_SETTLING_S = 0.02  # a signal to many processes arrives everywhere within so long
_TICK_S = 1.0
_SHELL, _WAITER = "/bin/sh", "cat"  # the latter reads a pipe that nobody writes: it ends when we do


@dataclass(frozen=True, slots=True)
class Program:
    """Where a command was found, or the exit code and the words with which a shell would refuse it."""

    path: str
    code: int = 0
    told: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: its exit code as a shell gives it, and the signal that killed it."""

    code: int
    signal: int | None = None
    by_terminal: bool = False


def locate(name: str, environment: Mapping[str, str]) -> Program:
    """The file that a shell would run for this name: the name itself where it holds a slash, else the first in PATH."""
    if os.sep in name:
        candidates = [name]
    else:
        folders = environment.get("PATH", os.defpath).split(os.pathsep)
        candidates = [os.path.join(folder or os.curdir, name) for folder in folders] if name else []
    refused = ""
    for path in candidates:
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return Program(path)
        if os.path.exists(path) and (os.sep in name or os.path.isfile(path)):
            refused = refused or ("is a folder" if os.path.isdir(path) else "is not executable")
    if refused:
        return Program("", NOT_EXECUTABLE, f"{refused}; make it executable with chmod +x, or name its interpreter")
    return Program("", NOT_FOUND, "is not found" + (", no such file" if os.sep in name else " in PATH") + "; check it")


class Relay:
    """Holds the signals that reach this process, from its start to the child's end, and passes them on.

    Made in the main thread, before any other thread starts: those inherit the mask, so that no signal takes
    another way. Sensors and samplers may start once it is entered.
    """

    def __init__(self) -> None:
        kept = [getattr(signal, name) for name in _PASSED_ON if hasattr(signal, name)]
        self._passed_on = {s for s in kept if signal.getsignal(s) is not signal.SIG_IGN}  # nohup stays nohup
        self._held = self._passed_on | {signal.SIGCHLD}
        self._before: Collection[int] = ()
        self._listener = Listener()
        self._pid = 0
        self._group = os.getpgrp()
        self._interrupted = False

    def __enter__(self) -> Relay:
        self._listener.start()
        if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:  # inherited: the kernel would throw exit codes away
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._before = signal.pthread_sigmask(signal.SIG_BLOCK, self._held)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while signal.sigtimedwait(self._held, 0) is not None:  # for a child that is gone, not for us
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, self._before)
        self._listener.stop()

    @property
    def pid(self) -> int:
        """The child's; 0 before it starts."""
        return self._pid

    def start(self, program: Program, words: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start the child, with the signal mask that we were started with.

        Raises
        ------
        OSError
            Where the kernel refuses: a missing interpreter, too long a command line, no room for a process.
        """
        defaults = {getattr(signal, name) for name in ("SIGPIPE", "SIGXFSZ") if hasattr(signal, name)}
        # Python ignores these two, and a child would inherit that.

        def spawn(path: str, argv: list[str]) -> int:
            return os.posix_spawn(path, argv, dict(environment), setsigmask=self._before, setsigdef=defaults)

        try:
            self._pid = spawn(program.path, list(words))
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            self._pid = spawn(_SHELL, [_SHELL, program.path, *words[1:]])  # a script without #!, as a shell runs it

    def send(self, number: int) -> bool:
        """A signal to the child; False where it is gone, or has become another user's."""
        try:
            os.kill(self._pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def wait(self, seen: Callable[[int], None], each_tick: Callable[[], None], tick_s: float = _TICK_S) -> Ended:
        """Until the child ends. `seen` is told of each signal that came, `each_tick` runs every `tick_s` or so."""
        while True:
            told = signal.sigtimedwait(self._held, tick_s)
            if told is not None and told.si_signo != signal.SIGCHLD:
                self._pass_on(told)
                seen(told.si_signo)
            ended = self._reap()
            if ended is not None:
                return ended
            if told is None:
                each_tick()

    def _reap(self) -> Ended | None:
        if os.getpid() == 1:  # of a container: orphans are ours to bury
            while (other := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) and other.si_pid != self._pid:
                os.waitpid(other.si_pid, 0)
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if not pid:
            return None
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            return Ended(KILLED_BY + number, number, self._interrupted and number == signal.SIGINT)
        return Ended(os.WEXITSTATUS(status))

    def _pass_on(self, told: signal.struct_siginfo) -> None:
        number = told.si_signo
        heard = self._listener.heard(number)
        by_terminal = told.si_code == _FROM_KERNEL
        self._interrupted = self._interrupted or (by_terminal and number == signal.SIGINT)
        everywhere = heard or by_terminal
        if everywhere:
            signal.sigtimedwait({number}, 0)  # the same once more: `timeout` sends it to us, then to the group
        if told.si_pid != self._pid and not (everywhere and self._is_in_group()):
            self.send(number)
        if number == signal.SIGTSTP:
            self._stop()

    def _is_in_group(self) -> bool:
        try:
            return os.getpgid(self._pid) == self._group
        except OSError:
            return True

    def _stop(self) -> None:
        """As Ctrl-Z would stop us, until SIGCONT: the shell must see its job stopped."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTSTP})
        os.kill(os.getpid(), signal.SIGTSTP)  # a default action: of no effect in an orphaned group, as it should be
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})


class Listener:
    """A process of our group that blocks all signals and shows which it was sent; it ends when we do, however we end.

    It is a plain `cat` at its empty standard input: nothing of ours is copied, and nobody who looks for the command
    by name finds it. Where it cannot be, every signal that the terminal did not send is passed on.
    """

    def __init__(self) -> None:
        self._pid, self._pipe, self._told = 0, -1, 0

    def start(self) -> None:
        """Before anything may be heard."""
        program = locate(_WAITER, {})
        if program.code:
            return
        theirs, self._pipe = os.pipe()
        files = [
            (os.POSIX_SPAWN_DUP2, theirs, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        try:
            self._pid = os.posix_spawn(
                program.path, [_WAITER], {}, file_actions=files, setsigmask=signal.valid_signals()
            )
        except OSError:
            os.close(self._pipe)
        os.close(theirs)

    def heard(self, number: int) -> bool:
        """Whether the signal reached it too, since it was last asked for it."""
        if not self._pid:
            return False
        time.sleep(_SETTLING_S)
        bit = 1 << (number - 1)
        pending = self._pending()
        self._told |= pending
        if pending:  # what is pending stays so: another takes its place
            self.stop()
            self.start()
        has_come = bool(self._told & bit)
        self._told &= ~bit
        return has_come

    def stop(self) -> None:
        """End it."""
        if self._pid:
            os.close(self._pipe)
            with suppress(ProcessLookupError, ChildProcessError):  # killed and buried already
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
            self._pid = 0

    def _pending(self) -> int:
        try:
            with open(f"/proc/{self._pid}/status", encoding="ascii", errors="replace") as status:
                masks = [line.split()[1] for line in status if line.startswith("ShdPnd:")]
        except OSError:
            return 0
        return int(masks[0], 16) if masks else 0


class PlainRelay:
    """The same without `sigtimedwait` (macOS, Windows): the terminal's signals reach the child, others pass through us.

    What is sent to a whole group reaches the child twice.
    """

    def __init__(self) -> None:
        names = [name for name in _PASSED_ON if hasattr(signal, name)]
        self._numbers = [getattr(signal, name) for name in names if name not in ("SIGCONT", "SIGTSTP")]
        self._before: dict[int, Any] = {}
        self._came: list[int] = []
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> PlainRelay:
        for number in self._numbers:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._pass_on)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def pid(self) -> int:
        """The child's; 0 before it starts."""
        return self._child.pid if self._child else 0

    def start(self, program: Program, words: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start the child. Raises OSError where the system refuses."""
        self._child = subprocess.Popen(list(words), executable=program.path, env=dict(environment), close_fds=False)

    def send(self, number: int) -> bool:
        """A signal to the child; False where it is gone."""
        if self._child is None or self._child.poll() is not None:
            return False
        self._child.send_signal(number)
        return True

    def wait(self, seen: Callable[[int], None], each_tick: Callable[[], None], tick_s: float = _TICK_S) -> Ended:
        """Until the child ends."""
        assert self._child is not None
        while True:
            try:
                code = self._child.wait(timeout=tick_s)
            except subprocess.TimeoutExpired:
                each_tick()
                continue
            finally:
                while self._came:
                    seen(self._came.pop(0))
            return Ended(code) if code >= 0 else Ended(KILLED_BY - code, -code)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        self._came.append(number)
        if number not in (signal.SIGINT, getattr(signal, "SIGQUIT", signal.SIGINT)):
            self.send(number)


def relay() -> Relay | PlainRelay:
    """The one that this system allows."""
    return Relay() if hasattr(signal, "sigtimedwait") and hasattr(os, "posix_spawn") else PlainRelay()
