"""Points of small order: Ed25519 keys with which anybody can sign.

Eight points of the curve have an order of at most 8. With one of them as a public key, signatures
that fit every statement, or every eighth, can be made without a secret. OpenSSL takes them as it
takes any other. So every public key that is read is checked here first, however it is spelled.

Source: RFC 8032, section 5.1.3; *Taming the many EdDSAs* (Chalkias and others, 2020), table 1.
Tested by ``tests/unit/base/test_small_order.py``, with signatures that OpenSSL accepts.
"""

_P = 2**255 - 19
_Y_BITS = 2**255 - 1  # the highest bit is the sign of x
_Y_OF_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER = frozenset({0, 1, _P - 1, _Y_OF_ORDER_8, _P - _Y_OF_ORDER_8})
"""The y of all eight: two points have 0, one 1, one -1, and two each of the others."""


def is_small_order(key: bytes) -> bool:
    """Whether a public key is a point of small order: anybody can sign with it.

    Args:
        key: 32 bytes, the y of a point and the sign of its x; y need not be less than the prime.
    """
    return (int.from_bytes(key, "little") & _Y_BITS) % _P in _SMALL_ORDER
