def forward(
    values: bytes,
    bits: int,
    window: tuple[int, int, int, int],
    W1: bytes,
    b1: tuple[int, ...],
    shift: int,
    W2: tuple[int, ...],
    b2: tuple[int, ...],
) -> list[int]:
    """Logits (10,) of values (784,): only those that are not 0 are visited.

    A row of W1 is one long number, in which each unit has its code: its weight is step * code - offset. Of the codes at
    every 32nd bit all products with a value are one product, and their sums stay below 2**32.
    """
    step, offset = (2, 3) if bits == 2 else (1, 2 ** (bits - 1) - 1)
    top, bottom, left, right = window
    size = (len(b1) * bits + 7) // 8  # of a row, in bytes
    mask = 0
    for _ in range(0, 8 * size, 32):
        mask = mask << 32 | 2**bits - 1
    sums = [0] * (32 // bits)
    place = total = 0
    for y in range(top, bottom):
        for value in values[28 * y + left : 28 * y + right]:
            if value:
                row = int.from_bytes(W1[place : place + size], "little")
                for k in range(len(sums)):
                    sums[k] += (row >> bits * k & mask) * value
                total += value
            place += size
    logits = list(b2)
    for unit in range(len(b1)):
        code = sums[unit % len(sums)] >> 32 * (unit // len(sums)) & 0xFFFFFFFF
        hidden = step * code - offset * total + b1[unit] >> shift
        if hidden > 0:
            for k in range(10):
                logits[k] += hidden * W2[10 * unit + k]
    return logits


def softmax(logits: list[int], factor: int, shift: int, powers: tuple[int, ...]) -> bytes:
    """Probabilities (10,) of logits (10,), 255 is certain."""
    highest, shares = max(logits), []
    for logit in logits:
        below = (highest - logit) * factor >> shift  # in 1/64 powers of two
        shares.append(powers[below % 64] >> below // 64 if below < 1024 else 0)
    total = sum(shares)
    return bytes([(share * 255 + total // 2) // total for share in shares])
