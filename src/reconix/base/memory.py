"""Memory that is free goes back to the kernel.

The C library keeps what is free between blocks in use, for those to come. A receiver keeps 2 MiB
so; and where it has another process do something, which takes memory of its own, both count. To
have large blocks always come from the kernel and go back to it (``M_MMAP_THRESHOLD``) takes a
twentieth more processor time; to ask for it now and then takes none.

Source: malloc_trim(3), of glibc.
Tested by ``tests/unit/base/test_memory.py``.
"""

import ctypes


def give_back() -> None:
    """Give back what is free; another C library than glibc may not know of this."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
