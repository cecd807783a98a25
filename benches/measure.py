"""Runs programs and accounts for them: wall clock, CPU, peak memory; medians, ratios, tables."""
import ctypes
import os
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Broken(Exception):
    """Something that makes the figures worthless."""


@dataclass(frozen=True)
class Cost:
    """What one process, with the children that it waited for, took."""

    wall: float  # seconds
    cpu: float | None  # seconds, user and system
    peak: float | None = None  # MiB
    of_children: float | None = None  # seconds of CPU, where `cpu` is of the process alone


def run(argv, environment=None, log=None, expect=0):
    """Runs a program to its end; its output goes to a log, or nowhere.

    `os.wait4` accounts for exactly this child. Its memory is not taken here: a child that is spawned by a large
    process is charged with that process's size. See `peak`.
    """
    begun = time.perf_counter()
    pid = spawn(argv, environment, log)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - begun
    check(argv, status, log, expect)
    return Cost(wall, usage.ru_utime + usage.ru_stime)


def spawn(argv, environment, log):
    """Starts a program whose output goes to a log, or nowhere."""
    actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    to = log or os.devnull
    actions += [(os.POSIX_SPAWN_OPEN, 1, to, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), (os.POSIX_SPAWN_DUP2, 1, 2)]
    program = shutil.which(argv[0])
    if program is None:
        raise Broken(f"no such program: {argv[0]}")
    return os.posix_spawn(program, argv, os.environ if environment is None else environment, file_actions=actions)


def alone(argv, environment=None, log=None, expect=0):
    """Runs a program that starts large children, and tells its own CPU and memory from theirs (on Linux; else neither is known).

    `wait4` doesn't: its memory is that of the largest process that was waited for below, its CPU the sum. The high-water mark
    that the kernel keeps for the program's memory is looked at until it ends, so only growth in its last moment is missed.
    """
    begun = time.perf_counter()
    pid = spawn(argv, environment, log)
    if not sys.platform.startswith("linux"):
        _, status, _ = os.wait4(pid, 0)
        wall = time.perf_counter() - begun
        check(argv, status, log, expect)
        return Cost(wall, None)
    highest = 0
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            # It is the program's own from the start: `posix_spawn` returns once the program is loaded. It is gone when that ends.
            highest = max([highest, *(int(line.split()[1]) for line in file if line.startswith("VmHWM:"))])
        time.sleep(0.02)
    wall = time.perf_counter() - begun
    # A process that nobody has waited for yet still has its account.
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        user, system, user_below, system_below = map(int, file.read().rpartition(")")[2].split()[11:15])
    tick = os.sysconf("SC_CLK_TCK")
    _, status, _ = os.wait4(pid, 0)
    check(argv, status, log, expect)
    return Cost(wall, (user + system) / tick, highest / 1024, (user_below + system_below) / tick)


def peak(argv, environment=None, log=None, expect=0):
    """The most memory that a program holds, in MiB; or nothing where that can't be told (outside Linux).

    A small shell starts it and ends, so that it is charged with the shell's megabyte and not with Python's twenty;
    as the subreaper, this process waits for it.
    """
    if not sys.platform.startswith("linux"):
        return None
    PR_SET_CHILD_SUBREAPER = 36
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        return None
    # It begins only when the shell is gone, which would otherwise wait for it.
    script = 'exec 3<&0; { read -r go <&3; exec "$@" 3<&-; } >>"$LOG_OF_BENCH" 2>&1 & echo $!'
    environment = {**(os.environ if environment is None else environment), "LOG_OF_BENCH": log or os.devnull}
    with subprocess.Popen(["/bin/sh", "-c", script, "sh", *argv], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
        pid = int(shell.stdout.readline())
        shell.wait()
        shell.stdin.write(b"go\n")
    _, status, usage = os.wait4(pid, 0)
    check(argv, status, log, expect)
    return usage.ru_maxrss / 1024


def check(argv, status, log, expect):
    """A program that fails is not measured."""
    code = os.waitstatus_to_exitcode(status)
    if code == expect:
        return
    said = ""
    if log and os.path.exists(log):
        with open(log, encoding="utf-8", errors="replace") as file:
            said = "\n" + file.read()[-3000:]
    raise Broken(f"`{' '.join(argv)}` ended with {code}{said or ' (run it yourself to see why)'}")


def output(argv):
    """The first line that a program prints, or nothing."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    return (done.stdout or done.stderr).partition("\n")[0].strip()


def tell_load():
    """Others at work make wall clocks longer, and everything less certain."""
    load = os.getloadavg()[0]
    print(f"load average {load:.1f}{': others are at work, trust ratios and CPU' if load > os.cpu_count() * 0.75 else ''}\n", flush=True)


@dataclass(frozen=True)
class Peer:
    """A program to compare with, or how to get it."""

    name: str
    install: str

    def there(self):
        """Whether it is on PATH."""
        return shutil.which(self.name) is not None

    def missing(self):
        """What a row says instead of figures."""
        return f"missing: `{self.install}`"


@dataclass(frozen=True)
class Goal:
    """What was to be reached, and what was."""

    name: str
    bar: float
    measured: list | None  # None where it could not be measured
    unit: str
    why: str = ""

    def row(self):
        """For the table of goals."""
        show = UNITS[self.unit]
        if not self.measured:
            return [self.name, show([self.bar]), self.why or "not measured", "–"]
        return [self.name, show([self.bar]), show(self.measured), "met" if statistics.median(self.measured) <= self.bar else "**missed**"]


def ratios(mine, theirs):
    """Of each turn."""
    return [a / b for a, b in zip(mine, theirs, strict=True)]


def spread(values, form):
    """`median [least–most]`"""
    middle = form(statistics.median(values))
    if len(values) == 1:
        return middle
    return f"{middle} [{form(min(values))}–{form(max(values))}]"


def milliseconds(values):
    return spread(values, lambda value: f"{value * 1000:.1f}" if value < 0.1 else f"{value * 1000:.0f}") + " ms"


def seconds(values):
    return spread(values, lambda value: f"{value:.2f}") + " s"


def mebibytes(values):
    return "–" if not values or None in values else f"{statistics.median(values):.1f} MiB"


def times(values):
    return spread(values, lambda value: f"{value:.2f}") + " ×"


def count(values):
    return spread(values, lambda value: f"{value:.0f}")


UNITS = {"ms": milliseconds, "s": seconds, "MiB": mebibytes, "×": times, "": count}


def table(head, rows):
    """Markdown that is also readable as it is."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    line = lambda row: "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + " |"
    print(line(head))
    print("| " + " | ".join("-" * width for width in widths) + " |")
    for row in rows:
        print(line(row))
    print(flush=True)
