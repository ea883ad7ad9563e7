import { busyboxEntries, putImage } from './support/oci-image';
import { int80Program, syscallProbe } from './support/machine-code';
import type { SystemCall } from './support/machine-code';
import { Sandbox } from './support/sandbox';

const EPERM = -1n;
const ENOSYS = -38n;
const CLONE_NEWUSER = 0x10000000n;

const REFUSED: readonly SystemCall[] = [
  { name: 'mount', number: 165 },
  { name: 'umount2', number: 166 },
  { name: 'bpf', number: 321 },
  { name: 'unshare', number: 272, args: [CLONE_NEWUSER] },
  { name: 'setns', number: 308 },
  { name: 'ptrace', number: 101 },
  { name: 'keyctl', number: 250 },
  { name: 'add_key', number: 248 },
  { name: 'request_key', number: 249 },
  { name: 'io_uring_setup', number: 425 },
  { name: 'userfaultfd', number: 323 },
  { name: 'process_vm_readv', number: 310 },
  { name: 'process_vm_writev', number: 311 },
  { name: 'perf_event_open', number: 298 },
  { name: 'chroot', number: 161 },
  { name: 'pivot_root', number: 155 },
  { name: 'open_by_handle_at', number: 304 },
  { name: 'kexec_load', number: 246 },
  { name: 'init_module', number: 175 },
  { name: 'finit_module', number: 313 },
  { name: 'open_tree', number: 428 },
  { name: 'move_mount', number: 429 },
  { name: 'fsopen', number: 430 },
  { name: 'pidfd_getfd', number: 438 },
  { name: 'mount_setattr', number: 442 },
  { name: 'memfd_secret', number: 447 },
  { name: 'syslog', number: 103 },
  { name: 'quotactl', number: 179 },
  { name: 'sethostname', number: 170 },
  { name: 'reboot', number: 169 },
];

const UNKNOWN: readonly SystemCall[] = [
  { name: 'clone3', number: 435 },
  { name: 'clone with a user namespace', number: 56, args: [CLONE_NEWUSER] },
  { name: 'clone with a network namespace', number: 56, args: [0x40000000n] },
  { name: 'socket netlink', number: 41, args: [16n, 3n] },
  { name: 'socket packet', number: 41, args: [17n, 3n] },
  { name: 'socket alg', number: 41, args: [38n, 5n] },
  { name: 'socket vsock', number: 41, args: [40n, 1n] },
  { name: 'personality without address randomisation', number: 135, args: [0x40000n] },
  { name: 'a call of tomorrow', number: 600 },
];

const ALLOWED: readonly SystemCall[] = [
  { name: 'getuid', number: 102 },
  { name: 'socket unix', number: 41, args: [1n, 1n] },
  { name: 'socket inet', number: 41, args: [2n, 1n] },
  { name: 'sched_yield', number: 24 },
];

// Seconds where the machine is free; the limit is for one that is not.
jest.setTimeout(120_000);

describe('system calls of a task', () => {
  let sandbox: Sandbox;
  let image: string;
  const calls = [...REFUSED, ...UNKNOWN, ...ALLOWED];
  const results = new Map<string, bigint>();

  beforeAll(async () => {
    sandbox = new Sandbox();
    image = putImage(sandbox.blobs, [
      ...busyboxEntries(),
      { path: 'bin/probe', data: syscallProbe(calls) },
      { path: 'bin/int80', data: int80Program() },
    ]);
    const handle = await sandbox.start(image, ['probe']);
    const chunks: Uint8Array[] = [];
    handle.onLog((chunk) => chunks.push(chunk));
    expect(await handle.exited).toMatchObject({ reason: 'EXITED', exitCode: 0 });
    await handle.dispose();
    const output = Buffer.concat(chunks);
    expect(output.length).toBe(calls.length * 8);
    calls.forEach((call, index) => results.set(call.name, output.readBigInt64LE(index * 8)));
  });
  afterAll(() => sandbox.remove());

  it.each(REFUSED.map((call) => call.name))('%s is not permitted', (name) => expect(results.get(name)).toBe(EPERM));
  it.each(UNKNOWN.map((call) => call.name))('%s does not exist', (name) => expect(results.get(name)).toBe(ENOSYS));
  it.each(ALLOWED.map((call) => call.name))('%s works', (name) => expect(results.get(name)).toBeGreaterThanOrEqual(0n));

  it('the 32-bit entrance kills the process', async () => {
    const { log } = await sandbox.run(image, ['sh', '-c', 'int80; echo "ended with $?"']);
    expect(log).toContain('ended with 159');
  });
});
