/** A system call by number with up to three arguments. */
export interface SystemCall {
  readonly name: string;
  readonly number: number;
  readonly args?: readonly bigint[];
}

const LOAD_ADDRESS = 0x400000n;
const HEADER_BYTES = 120;
const RESULT_BYTES = 8;
const WRITE = 1;
const EXIT_GROUP = 231;

/**
 * A static x86-64 program that makes each call once and writes the raw results, eight bytes each, to its output.
 * Assembled here, because a libc refuses or rewrites some of these calls and a compiler need not be on the machine.
 */
export function syscallProbe(calls: readonly SystemCall[]): Buffer {
  const body = (resultsAt: bigint): Buffer =>
    Buffer.concat([
      ...calls.map((call, index) =>
        Buffer.concat([callCode(call.number, call.args ?? []), storeResult(resultsAt + BigInt(index * RESULT_BYTES))]),
      ),
      callCode(WRITE, [1n, resultsAt, BigInt(calls.length * RESULT_BYTES)]),
      callCode(EXIT_GROUP, [0n]),
    ]);
  const resultsAt = LOAD_ADDRESS + BigInt(HEADER_BYTES + body(0n).length);
  return elf(body(resultsAt), calls.length * RESULT_BYTES);
}

/** A program that asks the kernel for its pid through the 32-bit entrance and then exits with 0. */
export function int80Program(): Buffer {
  const getPid32 = Buffer.from([0xb8, 20, 0, 0, 0, 0xcd, 0x80]);
  return elf(Buffer.concat([getPid32, callCode(EXIT_GROUP, [0n])]), 0);
}

function callCode(number: number, args: readonly bigint[]): Buffer {
  const registers = [
    [0x48, 0xbf],
    [0x48, 0xbe],
    [0x48, 0xba],
    [0x49, 0xba],
    [0x49, 0xb8],
    [0x49, 0xb9],
  ];
  const loads = registers.map((opcode, index) => withImmediate(opcode, args[index] ?? 0n));
  return Buffer.concat([withImmediate([0x48, 0xb8], BigInt(number)), ...loads, Buffer.from([0x0f, 0x05])]);
}

function storeResult(address: bigint): Buffer {
  return withImmediate([0x48, 0xa3], address);
}

function withImmediate(opcode: readonly number[], value: bigint): Buffer {
  const immediate = Buffer.alloc(8);
  immediate.writeBigUInt64LE(BigInt.asUintN(64, value));
  return Buffer.concat([Buffer.from(opcode), immediate]);
}

function elf(code: Buffer, resultBytes: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(62, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(LOAD_ADDRESS + BigInt(HEADER_BYTES), 24);
  header.writeBigUInt64LE(64n, 32);
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  const fileBytes = BigInt(HEADER_BYTES + code.length);
  header.writeUInt32LE(1, 64);
  header.writeUInt32LE(7, 68);
  header.writeBigUInt64LE(LOAD_ADDRESS, 80);
  header.writeBigUInt64LE(LOAD_ADDRESS, 88);
  header.writeBigUInt64LE(fileBytes, 96);
  header.writeBigUInt64LE(fileBytes + BigInt(resultBytes), 104);
  header.writeBigUInt64LE(0x1000n, 112);
  return Buffer.concat([header, code]);
}
