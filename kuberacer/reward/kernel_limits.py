"""Limits that the Linux kernel keeps for an ordinary user's process: system calls (seccomp), files (Landlock), memory.

None of them can be taken back by the process, whatever Python code it runs. Each function returns whether the limit
holds: another operating system, an old kernel or a strict container may refuse one. Sources: seccomp(2), landlock(7),
linux/bpf_common.h, linux/audit.h and the system call tables of x86-64 and of arm64.
"""

import contextlib
import ctypes
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 22, 38
_SECCOMP_MODE_FILTER = 2
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EACCES, _ENOSYS = 13, 38
_LOAD, _JUMP_EQUAL, _JUMP_ANY_BIT, _JUMP_NOT_LESS, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_CLONE_THREAD = 0x10000
# What any program reads: its libraries, and what of the machine its runtime asks for.
SYSTEM_FILES = (
    "/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/dev/null", "/dev/urandom", "/sys/devices/system/cpu",
    "/proc/cpuinfo",
)  # fmt: skip
PYTHON, PROGRAM, BUILD = "python", "program", "build"
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

# What a reward never needs: sockets, other programs and processes, changes to files, more rights.
_REFUSED = {
    "x86_64": {
        "architecture": 0xC000003E,
        "refused": (
            *range(41, 56), *(57, 58, 59), *range(82, 89), *range(90, 96), *(76, 77, 101, 129, 132, 133, 155, 160, 161),
            *(165, 166, 188, 189, 190, 200, 235), *range(248, 251), *range(258, 262), *range(263, 267),
            *(268, 272, 280, 288, 298, 303, 304, 308, 310, 311, 316, 321, 322, 323), *range(424, 435), *(438, 442, 452),
        ),
        "open_flags": {2: 1, 257: 2},  # call: which argument has the flags
        "own_process_only": (62, 234),
        "clone": 56, "limits": 302, "unknown": (435, 437),
        "execute": (59, 322),
        "of_build": (*range(41, 56), 62, 101, 200, 234, 288, 299, 307, 310, 311, *range(424, 428)),
    },
    "aarch64": {
        "architecture": 0xC00000B7,
        "refused": (
            *(5, 6, 7), *range(33, 42), *(45, 46, 51, 52, 53, 54, 55, 88, 97, 117, 130, 138, 164), *range(198, 213),
            *range(217, 220), *(221, 241, 242, 243, 264, 265, 268, 269, 270, 271, 276, 280, 281, 282),
            *range(424, 435), *(438, 442, 452),
        ),
        "open_flags": {56: 2},
        "own_process_only": (129, 131),
        "clone": 220, "limits": 261, "unknown": (435, 437),
        "execute": (221, 281),
        "of_build": (117, *range(129, 132), *range(198, 213), 242, 243, 269, 270, 271, *range(424, 428)),
    },
}  # fmt: skip

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_READ_AND_RUN = 0b1101  # execute, read file, read folder
_READ_FILE = 0b0101
_WRITE_FILE = 0b0010
_ALL_ACCESS = (1 << 13) - 1  # Landlock's first version; the truncation of later ones is refused by seccomp


def limit_resources(memory_mib: int, cpu_s: int | None) -> bool:
    """More memory than now by memory_mib at most, no file content, no core file; cpu_s: CPU seconds of the process."""
    pages = 0
    with contextlib.suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    memory = {resource.RLIMIT_AS: pages * resource.getpagesize() + (memory_mib << 20)} if pages else {}
    _limit({**memory, resource.RLIMIT_FSIZE: 0}, cpu_s)
    return bool(memory)


def limit_program(memory_mib: int, cpu_s: int | None, file_mib: int = 0) -> bool:
    """The same for a program that takes this process' place. memory_mib: that it can write to; runtimes of other
    languages reserve address space by the gigabyte and use little of it. file_mib: of each file that it writes."""
    _limit({resource.RLIMIT_DATA: memory_mib << 20, resource.RLIMIT_FSIZE: file_mib << 20}, cpu_s)
    return sys.platform == "linux"  # elsewhere that is the heap alone


def _limit(limits: dict[int, int], cpu_s: int | None) -> None:
    limits = {resource.RLIMIT_CORE: 0, **limits, **({} if cpu_s is None else {resource.RLIMIT_CPU: cpu_s})}
    for which, value in limits.items():
        with contextlib.suppress(ValueError, OSError):  # already lower
            resource.setrlimit(which, (value, value))


def limit_files(readable: Iterable[str], writable: Iterable[str] = ()) -> bool:
    """Only what lies in these files and folders can still be opened, for reading; nothing can be made or removed but
    below `writable`."""
    if sys.platform != "linux":
        return False
    libc = _libc()
    handled = struct.pack("Q", _ALL_ACCESS)
    ruleset = libc.syscall(_LANDLOCK_CREATE, handled, len(handled), 0)
    if ruleset < 0:
        return False
    readable, writable = list(readable), list(writable)
    for path in readable + writable:
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
            access = _READ_AND_RUN if os.path.isdir(path) else _READ_FILE
            if path in writable:
                access = _ALL_ACCESS if os.path.isdir(path) else _READ_FILE | _WRITE_FILE
            libc.syscall(_LANDLOCK_ADD, ruleset, 1, struct.pack("=Qi", access, descriptor), 0)
            os.close(descriptor)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    held = libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0) == 0
    os.close(ruleset)
    return held


def limit_system_calls(purpose: str = PYTHON) -> bool:
    """No sockets, no programs, no processes, no change to any file, no signal to others, no looser limits.

    purpose: PROGRAM may become another program, under the same limits; BUILD may do anything but reach a network
    and send signals.
    """
    calls = _REFUSED.get(platform.machine())
    if sys.platform != "linux" or calls is None:
        return False
    program = _seccomp_program(calls, purpose)
    libc = _libc()
    instructions = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(instructions))
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header, 0, 0) == 0


def _seccomp_program(calls: dict, purpose: str) -> bytes:
    """The filter as an array of struct sock_filter: code, jump if true, jump if false, value."""
    deny = (_RETURN, 0, 0, _ERRNO | _EACCES)
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, calls["architecture"]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_NOT_LESS, 0, 1, 0x40000000),  # the x32 calls of x86-64
        deny,
    ]
    refused = calls["of_build"] if purpose == BUILD else calls["refused"]
    for number in refused:
        if purpose != PROGRAM or number not in calls["execute"]:
            program += [(_JUMP_EQUAL, 0, 1, number), deny]
    if purpose != BUILD:
        program += _looked_into(calls, deny)
    program.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)


def _looked_into(calls: dict, deny: tuple) -> list[tuple]:
    """The calls of which some arguments are refused. The call's number is loaded before and after each."""
    load_number = (_LOAD, 0, 0, _NUMBER)
    program: list[tuple] = []
    for number in calls["unknown"]:  # the C library then uses the older call, which can be looked into
        program += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | _ENOSYS)]
    for number, argument in calls["open_flags"].items():
        program += [
            (_JUMP_EQUAL, 0, 4, number),
            _load(argument),
            (_JUMP_ANY_BIT, 0, 1, _WRITE_FLAGS),
            deny,
            load_number,
        ]
    for number in calls["own_process_only"]:
        program += [(_JUMP_EQUAL, 0, 4, number), _load(0), (_JUMP_EQUAL, 1, 0, os.getpid()), deny, load_number]
    program += [(_JUMP_EQUAL, 0, 4, calls["clone"]), _load(0), (_JUMP_ANY_BIT, 1, 0, _CLONE_THREAD), deny, load_number]
    # prlimit64 with new limits: its third argument is a pointer, null when only read.
    program += [(_JUMP_EQUAL, 0, 5, calls["limits"]), _load(2), (_JUMP_EQUAL, 0, 2, 0)]
    program += [_load(2, high=True), (_JUMP_EQUAL, 1, 0, 0), deny]
    return program


def _load(argument: int, high: bool = False) -> tuple[int, int, int, int]:
    return (_LOAD, 0, 0, _ARGUMENTS + 8 * argument + 4 * high)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
