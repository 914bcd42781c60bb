"""Verifying Ed25519 signatures with the OpenSSL that Python itself is built on.

Curve arithmetic is not to be written at home. The Python of every device computes its SHA-256
with libcrypto, so that library is there, is maintained by the distribution, and costs nothing more.
It is found by its name among what is loaded already, wherever a distribution keeps it.

Signing is done on the build host (``transfer/sending/signing.py``).

OpenSSL takes points of small order as keys; here nothing is signed by them
(``base/small_order.py``).

Source: OpenSSL 3.0, EVP_DigestVerifyInit(3), *EVP_DigestVerify*; EVP_PKEY-ED25519(7); RFC 8032.
Tested by ``tests/unit/transfer/trust/test_ed25519.py``, with the vectors of RFC 8032.
"""

import ctypes
import functools
import hashlib

from reconix.base.errors import ReconixError
from reconix.base.small_order import is_small_order

KEY_BYTES = 32
SIGNATURE_BYTES = 64

_LIBRARY = "libcrypto.so.3"
_ED25519 = 1087  # NID_ED25519 of obj_mac.h, which is EVP_PKEY_ED25519


class NoLibrary(ReconixError):
    """No library here can verify a signature."""

    exit_code = 40

    def __init__(self, error: OSError) -> None:
        super().__init__(
            f"signatures cannot be verified: {error}",
            hint=f"the system needs {_LIBRARY} of OpenSSL 3, as Debian's python3 does",
        )


def is_signed(key: bytes, signature: bytes, statement: bytes) -> bool:
    """Whether a signature over a statement was made with the secret half of a public key.

    Raises:
        NoLibrary: it cannot be verified.
    """
    if len(key) != KEY_BYTES or len(signature) != SIGNATURE_BYTES or is_small_order(key):
        return False
    library = _library()
    public = library.EVP_PKEY_new_raw_public_key(_ED25519, None, key, KEY_BYTES)
    context = library.EVP_MD_CTX_new()
    try:
        return bool(
            public
            and context
            and library.EVP_DigestVerifyInit(context, None, None, None, public) == 1
            and library.EVP_DigestVerify(
                context, signature, SIGNATURE_BYTES, statement, len(statement)
            )
            == 1
        )
    finally:
        library.EVP_MD_CTX_free(context)
        library.EVP_PKEY_free(public)
        library.ERR_clear_error()


@functools.cache
def _library() -> ctypes.CDLL:
    hashlib.new("sha256")  # loads libcrypto, wherever it is; after that its name is enough
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise NoLibrary(error) from error
    pointer, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
    _declare(library, "EVP_PKEY_new_raw_public_key", pointer, ctypes.c_int, pointer, text, size)
    _declare(library, "EVP_MD_CTX_new", pointer)
    _declare(library, "EVP_DigestVerifyInit", ctypes.c_int, *[pointer] * 5)
    _declare(library, "EVP_DigestVerify", ctypes.c_int, pointer, text, size, text, size)
    _declare(library, "EVP_MD_CTX_free", None, pointer)
    _declare(library, "EVP_PKEY_free", None, pointer)
    _declare(library, "ERR_clear_error", None)
    return library


def _declare(library: ctypes.CDLL, name: str, result: object, *arguments: object) -> None:
    function = getattr(library, name)
    function.restype, function.argtypes = result, arguments
