#!/usr/bin/env python3
"""Recomputes the cumulative reward root of a published accounts file, independently of the service.

Standard library only. The tree is OpenZeppelin's StandardMerkleTree over
(uint256 chain_id, address distributor, address account, uint256 cumulative).

    verify_root.py accounts.json                   prints {"root": ..., "leaves": ...}
    verify_root.py accounts.json 0x<expected>      exit 0 when it is the same, else 1
    verify_root.py --folder <publication folder>   every epoch below it against its manifest

Exit 2: the input is refused.
"""
import json
import os
import re
import sys

ROTATIONS = [[0, 36, 3, 41, 18], [1, 44, 10, 45, 2], [62, 6, 43, 15, 61], [28, 55, 25, 21, 56], [27, 20, 39, 8, 14]]
MASK = (1 << 64) - 1
RATE_BYTES = 136
AMOUNT_MAX = 2**63 - 1
DECIMAL = re.compile(r"(0|[1-9][0-9]*)\Z")
ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}\Z")
ZERO_ROOT = "0x" + "00" * 32


def round_constants():
    """The 24 iota constants, from the LFSR of the Keccak reference."""
    constants, state = [], 1
    for _ in range(24):
        constant = 0
        for power in range(7):
            if state & 1:
                constant |= 1 << ((1 << power) - 1)
            state <<= 1
            if state & 0x100:
                state ^= 0x171
        constants.append(constant)
    return constants


CONSTANTS = round_constants()


def rotate(value, count):
    return ((value << count) | (value >> (64 - count))) & MASK if count else value


def permute(lanes):
    for constant in CONSTANTS:
        columns = [lanes[x][0] ^ lanes[x][1] ^ lanes[x][2] ^ lanes[x][3] ^ lanes[x][4] for x in range(5)]
        parity = [columns[(x - 1) % 5] ^ rotate(columns[(x + 1) % 5], 1) for x in range(5)]
        moved = [[0] * 5 for _ in range(5)]
        for x in range(5):
            for y in range(5):
                moved[y][(2 * x + 3 * y) % 5] = rotate(lanes[x][y] ^ parity[x], ROTATIONS[x][y])
        lanes = [[moved[x][y] ^ (~moved[(x + 1) % 5][y] & moved[(x + 2) % 5][y]) & MASK for y in range(5)] for x in range(5)]
        lanes[0][0] ^= constant
    return lanes


def keccak256(message):
    """Keccak-256 with Ethereum's padding (0x01), not SHA-3's."""
    padded = bytearray(message + b"\x01" + b"\x00" * (RATE_BYTES - 1 - len(message) % RATE_BYTES))
    padded[-1] |= 0x80
    lanes = [[0] * 5 for _ in range(5)]
    for block in range(0, len(padded), RATE_BYTES):
        for index in range(RATE_BYTES // 8):
            start = block + 8 * index
            lanes[index % 5][index // 5] ^= int.from_bytes(padded[start:start + 8], "little")
        lanes = permute(lanes)
    return b"".join(lanes[index % 5][index // 5].to_bytes(8, "little") for index in range(4))


def word(value):
    return value.to_bytes(32, "big")


def leaf(chain_id, distributor, account, cumulative):
    encoded = word(chain_id) + word(int(distributor, 16)) + word(int(account, 16)) + word(cumulative)
    return keccak256(keccak256(encoded))


def root_of(leaves):
    ordered = sorted(leaves)
    nodes = [b""] * (2 * len(ordered) - 1)
    for index, hashed in enumerate(ordered):
        nodes[len(nodes) - 1 - index] = hashed
    for index in range(len(ordered) - 2, -1, -1):
        nodes[index] = keccak256(b"".join(sorted((nodes[2 * index + 1], nodes[2 * index + 2]))))
    return "0x" + nodes[0].hex()


def refuse(message):
    print(message, file=sys.stderr)
    sys.exit(2)


def decimal(value, field):
    if not isinstance(value, str) or not DECIMAL.match(value) or len(value) > 19 or int(value) > AMOUNT_MAX:
        refuse(f"{field}: must be a decimal string of 0 to 2^63 - 1")
    return int(value)


def address(value, field):
    if not isinstance(value, str) or not ADDRESS.match(value):
        refuse(f"{field}: must be 0x and 40 hexadecimal digits")
    return value.lower()


def fields(value, names, field):
    if not isinstance(value, dict) or set(value) != set(names):
        refuse(f"{field}: must be an object with exactly {', '.join(names)}")
    return value


def recompute(path):
    """The root and the number of leaves of an accounts file; None for the root when it has no rows."""
    with open(path, encoding="utf-8") as file:
        data = fields(json.load(file), ["chain_id", "distributor", "accounts"], "(top level)")
    chain_id = decimal(data["chain_id"], "chain_id")
    distributor = address(data["distributor"], "distributor")
    if not isinstance(data["accounts"], list):
        refuse("accounts: must be a list")
    leaves, seen = [], set()
    for index, row in enumerate(data["accounts"]):
        fields(row, ["account", "cumulative"], f"accounts[{index}]")
        account = address(row["account"], f"accounts[{index}].account")
        if account in seen:
            refuse(f"accounts[{index}].account: duplicate")
        seen.add(account)
        leaves.append(leaf(chain_id, distributor, account, decimal(row["cumulative"], f"accounts[{index}].cumulative")))
    return (root_of(leaves) if leaves else None), len(leaves)


def verify_folder(folder):
    """Compares the root of every manifest below the folder. The number of epochs, or the first difference on stderr."""
    epochs = 0
    for place, _, names in sorted(os.walk(folder)):
        if "manifest.json" not in names:
            continue
        with open(os.path.join(place, "manifest.json"), encoding="utf-8") as file:
            published = json.load(file)["root"]
        root, _ = recompute(os.path.join(place, "accounts.json"))
        if (root or ZERO_ROOT) != published:
            print(f"{place}: published {published}, recomputed {root or ZERO_ROOT}", file=sys.stderr)
            sys.exit(1)
        epochs += 1
    if epochs == 0:
        refuse(f"{folder}: no manifest.json below it")
    return epochs


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "--folder":
        print(json.dumps({"epochs": verify_folder(arguments[1])}))
        return
    if len(arguments) not in (1, 2):
        refuse(__doc__)
    root, leaves = recompute(arguments[0])
    if root is None:
        refuse("accounts: must hold at least one row")
    print(json.dumps({"root": root, "leaves": str(leaves)}))
    if len(arguments) == 2 and arguments[1] != root:
        print(f"expected {arguments[1]}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
