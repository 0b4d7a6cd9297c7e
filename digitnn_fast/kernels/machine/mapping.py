"""Puts machine code into memory without llvmlite, which takes a quarter of a whole `predict` to load and to link.

The object files that LLVM makes of kernels for x86-64 under Linux need little: whatever they refer to, parts of their
own or functions of `SYSTEM`, they refer to by its whole address. So a file is laid into memory as it is, and the
addresses are filled in. What is not so simple is left to LLVM. Format: System V ABI, with its supplement for x86-64.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Iterator
from functools import cache
from struct import Struct
from typing import Any

SYSTEM = ("memcpy", "memset", "memmove", "sched_yield", "SwitchToThread")  # what kernels may call

OBJECT = b"\x7fELF\2\1", 1, 62  # 64 bits, little-endian; not linked; x86-64
HEADER = Struct("<6s10x2H20xQ12xH2x")  # these; where the list of sections is, and how long
SECTION = Struct("<4xIQ8x2Q2I16x")  # kind, flags, place, bytes, number of the section of names, of the one it is about
SYMBOLS, REFERENCES, WITHOUT_BYTES, FOR_EXCEPTIONS = 2, 4, 8, 0x70000001  # kinds of sections
WRITTEN, LOADED = 1, 2  # flags of sections
SYMBOL = Struct("<I2xHQ8x")  # place of its name; number of its section, 0 if another file has it; place there
REFERENCE = Struct("<Q2Iq")  # place; kind, number of a symbol, bytes behind that
WHOLE_ADDRESS = 1  # a kind of reference: R_X86_64_64

Section = tuple[int, int, int, int, int, int]
Symbol = tuple[str, int, bool]  # name; address, and whether it is counted from where the file begins


class NotSimpleError(Exception):
    """An object file that LLVM must link."""


def mapped(code: bytes, function: str) -> int:
    """The address of this function of an object file, in memory for good; NotSimpleError if LLVM must link it."""
    system = _system()
    if system is None or HEADER.unpack_from(code)[:3] != OBJECT:
        raise NotSimpleError
    *_, first, count = HEADER.unpack_from(code)
    sections = [SECTION.unpack_from(code, first + number * SECTION.size) for number in range(count)]
    symbols = list(_symbols(code, sections))
    filled, start = bytearray(code), _room(system, len(code))
    for place, number, behind in _references(code, sections):
        _, address, own = symbols[number]
        if not (own or address):
            raise NotSimpleError
        filled[place : place + 8] = (address + own * start + behind).to_bytes(8, "little")
    ctypes.memmove(start, bytes(filled), len(filled))
    if system.mprotect(start, len(filled), mmap.PROT_READ | mmap.PROT_EXEC):
        raise NotSimpleError
    return start + next(address for name, address, own in symbols if own and name == function)


def _symbols(code: bytes, sections: list[Section]) -> Iterator[Symbol]:
    [(_, _, first, size, names, _)] = [section for section in sections if section[0] == SYMBOLS]
    for at in range(first, first + size, SYMBOL.size):
        word, home, place = SYMBOL.unpack_from(code, at)
        begin = sections[names][2] + word
        name = code[begin : code.index(0, begin)].decode()
        if 0 < home < len(sections):
            yield name, sections[home][2] + place, True
        else:
            yield name, _address(name) if home == 0 and name in SYSTEM else 0, False


def _references(code: bytes, sections: list[Section]) -> Iterator[tuple[int, int, int]]:
    """Where an address belongs in the file, the number of the symbol, and how many bytes behind it is meant."""
    for kind, flags, first, size, _, about in sections:
        if flags & LOADED and (flags & WRITTEN or kind == WITHOUT_BYTES):
            raise NotSimpleError
        if kind != REFERENCES or not sections[about][1] & LOADED or sections[about][0] == FOR_EXCEPTIONS:
            continue
        for at in range(first, first + size, REFERENCE.size):
            place, wanted, number, behind = REFERENCE.unpack_from(code, at)
            if wanted != WHOLE_ADDRESS:
                raise NotSimpleError
            yield sections[about][2] + place, number, behind


def _room(system: ctypes.CDLL, size: int) -> int:
    """Memory that can be written until it is made to be run."""
    start = system.mmap(None, size, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    if start in (None, ctypes.c_void_p(-1).value):
        raise NotSimpleError
    return int(start)


@cache
def _system() -> Any:
    """The C library; None of another system than Linux with addresses of 64 bits."""
    if sys.platform != "linux" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    library = ctypes.CDLL(None)
    number, size, address = ctypes.c_int, ctypes.c_size_t, ctypes.c_void_p
    library.mmap.argtypes, library.mmap.restype = [address, size, number, number, number, ctypes.c_long], address
    library.mprotect.argtypes = [address, size, number]
    return library


def _address(function: str) -> int:
    """Of a function of the C library; 0 if it has none of that name."""
    found = getattr(_system(), function, None)
    return ctypes.cast(found, ctypes.c_void_p).value or 0 if found else 0
