"""Joins the frames of the render tasks into one animated PNG (APNG) without re-encoding a pixel.

Usage: assemble.py FRAME_COUNT OUTPUT_FOLDER

The artifacts of task N are found under /inputs/tasks/N/. An animated PNG is the first frame's file plus control
chunks: acTL says how many frames there are, fcTL precedes each frame, and every later frame's IDAT becomes fdAT.
Format: "APNG" in the PNG specification, third edition, sections 11.3.6 and 4.9.
"""

import struct
import sys
import zlib
from pathlib import Path

TASKS_FOLDER = Path("/inputs/tasks")
SIGNATURE = b"\x89PNG\r\n\x1a\n"
FRAME_MILLISECONDS = 90
LOOP_FOREVER = 0


def read_chunks(path):
    """The chunks of a PNG file as (type, data); refuses what is not a whole PNG."""
    content = path.read_bytes()
    if not content.startswith(SIGNATURE):
        raise ValueError(f"{path} is not a PNG file")
    chunks, position = [], len(SIGNATURE)
    while position < len(content):
        length, kind = struct.unpack(">I4s", content[position : position + 8])
        data = content[position + 8 : position + 8 + length]
        checksum = content[position + 8 + length : position + 12 + length]
        if checksum != struct.pack(">I", zlib.crc32(kind + data)):
            raise ValueError(f"{path} is damaged: wrong checksum in {kind.decode('latin-1')}")
        chunks.append((kind, data))
        position += 12 + length
    if not chunks or chunks[-1][0] != b"IEND":
        raise ValueError(f"{path} ends early")
    return chunks


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def find_frame(task_index):
    """The one PNG among a task's artifacts."""
    frames = sorted((TASKS_FOLDER / str(task_index)).rglob("*.png"))
    if len(frames) != 1:
        raise ValueError(f"task {task_index} left {len(frames)} PNG files, expected 1")
    return frames[0]


def animate(frames):
    """The bytes of an animated PNG that shows the frames (lists of chunks) in order, forever."""
    header = dict(frames[0])[b"IHDR"]
    width, height = struct.unpack(">II", header[:8])
    output = [SIGNATURE, chunk(b"IHDR", header), chunk(b"acTL", struct.pack(">II", len(frames), LOOP_FOREVER))]
    # What stands between header and pixels of the first frame (gamma) holds for all; time stamps are left out.
    output += [chunk(kind, data) for kind, data in frames[0] if kind in (b"gAMA", b"sRGB", b"cHRM")]
    sequence = 0
    for index, chunks in enumerate(frames):
        if dict(chunks)[b"IHDR"] != header:
            raise ValueError(f"frame {index} differs from frame 0 in size or colour type")
        timing = struct.pack(">HHBB", FRAME_MILLISECONDS, 1000, 0, 0)
        output.append(chunk(b"fcTL", struct.pack(">IIIII", sequence, width, height, 0, 0) + timing))
        sequence += 1
        for kind, data in chunks:
            if kind != b"IDAT":
                continue
            if index == 0:
                output.append(chunk(b"IDAT", data))
            else:
                output.append(chunk(b"fdAT", struct.pack(">I", sequence) + data))
                sequence += 1
    output.append(chunk(b"IEND", b""))
    return b"".join(output)


def main(frame_count, output_folder):
    paths = [find_frame(task_index) for task_index in range(frame_count)]
    animation = animate([read_chunks(path) for path in paths])
    output_folder.mkdir(parents=True, exist_ok=True)
    target = output_folder / "animation.png"
    target.write_bytes(animation)
    print(f"{frame_count} frames joined: {target} ({len(animation)} bytes)", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
