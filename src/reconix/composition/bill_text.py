"""What both formats of a bill spell alike: its date and its identity.

Tested by ``tests/unit/composition/test_bill_formats.py``.
"""

from datetime import UTC, datetime
from uuid import UUID

from reconix.composition.bill import Bill

_DATE = "%Y%m%dT%H%M%SZ"
_VERSION_8 = 0x8000
_VARIANT = 0x8000


def iso_date(bill: Bill) -> str:
    """When the newest of its packages was listed: ``2026-09-12T07:55:41Z``."""
    return datetime.strptime(bill.date, _DATE).replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def uuid_of(bill: Bill) -> UUID:
    """A name that only this bill has, made from what is in it.

    Source: RFC 9562, section 5.8: version 8, whose other bits are free.
    """
    number = int.from_bytes(bill.digest().value[:16], "big")
    number &= ~(0xF000 << 64) & ~(0xC000 << 48)
    return UUID(int=number | _VERSION_8 << 64 | _VARIANT << 48)
