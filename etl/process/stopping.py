"""Stopping at once: a signal ends the process within seconds, and nothing is left half done.

Belongs here: what happens between a signal and the end of the process. Does not belong here: what
must be said or released at the end; the code that knows it registers it (``on_stop``).

A stop is a crash with a message. No exception is raised inside the work, because one between two
lines of an engine's own code can leave the engine waiting for itself for ever. The work runs in a
thread, the main thread waits for signals, and the process ends while the work is still running.
That is safe because every step already survives a power cut: the target is written in one
transaction, files are put in place whole, and the engine replays its log.

Only the commit of a publish must not be interrupted, because afterwards nobody could say whether it
happened: ``committing`` makes the stop wait for it.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

STOPPED = 130
"""The exit code of a command that a signal ended, as shells have it."""

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
_COMMIT_SECONDS = 5.0
"""How long a stop waits for a commit that is under way."""

_GOODBYE_SECONDS = 3.0
"""How long all registered actions may take."""


class _State:
    """What a stop must know; a process has one."""

    def __init__(self) -> None:
        self.actions: list[Callable[[], None]] = []
        self.takes_over: Callable[[], None] | None = None
        self.cancel: Callable[[], None] | None = None
        self.commit = threading.Lock()
        self.committed = False
        self.stopping = threading.Lock()


_state = _State()


def at_stop(action: Callable[[], None]) -> None:
    """Registers an action for whenever a signal stops the process: ``on_stop`` without an end."""
    _state.actions.append(action)


@contextmanager
def on_stop(action: Callable[[], None]) -> Iterator[None]:
    """Registers an action for when a signal stops the process within this block.

    All actions run at once, each in a thread of its own, and have three seconds in all.

    Args:
        action: Must not wait for the thread that registered it.
    """
    _state.actions.append(action)
    try:
        yield
    finally:
        _state.actions.remove(action)


@contextmanager
def ends_by_itself(ask: Callable[[], None]) -> Iterator[None]:
    """Marks work that ends properly when asked to, as a server does.

    The first signal asks; a second one stops the process.

    Args:
        ask: Asks the work to end.
    """
    _state.takes_over = ask
    try:
        yield
    finally:
        _state.takes_over = None


@contextmanager
def committing(*, publishes: bool = True) -> Iterator[None]:
    """Keeps a commit and a stop apart: whichever comes first, the other waits for it.

    If the stop came first, it keeps the lock until the process has ended, so that the work can no
    longer commit.

    Args:
        publishes: Whether it publishes the result, which a stop then reports; a run also commits
            the state alone.
    """
    with _state.commit:
        yield
        _state.committed = _state.committed or publishes


def begin_run(cancel: Callable[[], None]) -> None:
    """Notes that a run is at work, of which nothing is published yet.

    Args:
        cancel: Marks the run as cancelled where runs are listed.
    """
    _state.committed = False
    _state.cancel = cancel


def end_run() -> None:
    """Notes that the run has ended, so that a stop need not cancel it."""
    _state.cancel = None


def run(work: Callable[[], int]) -> int:
    """Does a command's work in a thread and waits for it, or for a signal.

    What is registered with ``atexit`` is also done in that thread. The caller must then leave with
    ``os._exit``: the usual end of Python takes a second or more with so many libraries, and signals
    are not handled meanwhile.

    Args:
        work: Returns the exit code.

    Returns:
        The exit code. A signal ends the process from here, with ``STOPPED``.
    """
    # A signal that comes just before the main thread waits for a lock would be missed; one that is
    # written to a socket is not.
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    ended: list[int] = []

    def do() -> None:
        try:
            ended.append(work())
            _tidy_up()
        finally:
            writing.send(bytes([_WORK_HAS_ENDED]))

    for number in SIGNALS:
        # A signal that is ignored stays so, as nohup wants it; but not SIGINT, which shells have
        # every background job ignore.
        if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _heard_by_the_socket)
    threading.Thread(target=do, name="doisoat", daemon=True).start()
    while (heard := reading.recv(1)[0]) != _WORK_HAS_ENDED:
        if heard not in SIGNALS:
            continue
        ask, _state.takes_over = _state.takes_over, None
        if ask is None:
            stop(heard)
        else:
            ask()
    return ended[0] if ended else 70


_WORK_HAS_ENDED = 0
"""No signal has this number."""


def _heard_by_the_socket(_number: int, _frame: FrameType | None) -> None:
    """Does nothing: Python writes a signal to the socket only if it has a handler."""


def _tidy_up() -> None:
    """Does what Python does at the end of a process, while signals are still handled."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # a reader that has gone, as head does
            stream.flush()


def watch() -> None:
    """Stops this process at a signal although its main thread is not ours.

    For the process that Dagster starts for a run of the UI: its main thread does the work and
    may be deep in a query, where Python's own handlers wait. Python writes each signal to a socket
    at once, and a thread reads it there. Only the main thread can set this up; in other threads,
    and where signals are already written to a socket, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread() or _watched:
        return
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    _watched.extend((reading, writing))
    signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)

    def listen() -> None:
        while heard := reading.recv(1):
            if heard[0] in SIGNALS:
                stop(heard[0])

    threading.Thread(target=listen, name="doisoat-signals", daemon=True).start()


_watched: list[socket.socket] = []


def stop(number: int) -> None:
    """Ends the process: waits for a commit under way, runs the registered actions, and exits.

    Args:
        number: The signal.
    """
    if not _state.stopping.acquire(blocking=False):
        os._exit(STOPPED)  # a second signal
    known = _state.commit.acquire(timeout=_COMMIT_SECONDS)
    threads = [
        threading.Thread(target=_quietly, args=(action,), daemon=True)
        for action in (*filter(None, [_state.cancel]), *_state.actions)
    ]
    for thread in threads:
        thread.start()
    until = time.monotonic() + _GOODBYE_SECONDS
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    _say(f"Stopped by {signal.Signals(number).name}. {outcome_in_words(known)}")
    os._exit(STOPPED)


def outcome_in_words(known: bool = True) -> str:
    """Says what of the run is published.

    Args:
        known: Whether a commit that was under way has ended.
    """
    if not known:
        return (
            "It was publishing at that moment: 'doisoat runs' tells whether the result was "
            "published. Run again to continue."
        )
    if _state.committed:
        return "This run had published its result already; the next one does what is left."
    return "Nothing half-done was published; run again to finish."


def _quietly(action: Callable[[], None]) -> None:
    with suppress(Exception):
        action()


def _say(text: str) -> None:
    # Written without Python's buffers: the thread that was stopped may hold their locks.
    with suppress(OSError):
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, f"\n✗ {text}\n".encode())
