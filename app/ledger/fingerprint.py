"""The fingerprint by which two transactions are "the same row of a bank".

A module of its own because typed-in rows and imported ones must agree on it. The fingerprint is computed once, from
what the bank wrote; editing a description or category later does not make the row new to the next import.
"""

import hashlib
from datetime import date
from decimal import Decimal


def fingerprint(day: date, amount: Decimal, check_number: str, description: str) -> str:
    """64 hex digits. Amounts that are equal numbers (5, 5.0) and descriptions that differ in blanks count as equal."""
    number = format(amount.normalize() if amount else Decimal(0), "f")
    parts = (day.isoformat(), number, check_number.strip(), " ".join(description.split()))
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
