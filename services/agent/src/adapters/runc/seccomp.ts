import {
  ALLOWED_PERSONALITIES,
  ALLOWED_SOCKET_FAMILIES,
  ALLOWED_SYSCALLS,
  CLONE_NAMESPACE_FLAGS,
  DENIED_SYSCALLS,
} from './seccomp-rules';

interface SeccompArgument {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: 'SCMP_CMP_EQ' | 'SCMP_CMP_MASKED_EQ';
}

interface SeccompRule {
  readonly names: readonly string[];
  readonly action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO';
  readonly errnoRet?: number;
  readonly args?: readonly SeccompArgument[];
}

/** The seccomp part of an OCI runtime specification. */
export interface SeccompProfile {
  readonly defaultAction: 'SCMP_ACT_ERRNO';
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly SeccompRule[];
}

const EPERM = 1;
const ENOSYS = 38;
const SECCOMP_ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'SCMP_ARCH_X86_64', arm64: 'SCMP_ARCH_AARCH64' };

/**
 * The profile of every task. Unknown calls answer ENOSYS, so that libc falls back (clone3 → clone); a single
 * architecture without its 32-bit sister, so `int 0x80` ends the process. Throws on a processor that has no rule.
 */
export function seccompProfile(processorArchitecture: string): SeccompProfile {
  const architecture = SECCOMP_ARCHITECTURES[processorArchitecture];
  if (architecture === undefined) throw new Error(`no seccomp profile for ${processorArchitecture}`);
  const denied = new Set(DENIED_SYSCALLS);
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: ENOSYS,
    architectures: [architecture],
    syscalls: [
      { names: ALLOWED_SYSCALLS.filter((name) => !denied.has(name)), action: 'SCMP_ACT_ALLOW' },
      allowMasked('clone', 0, CLONE_NAMESPACE_FLAGS),
      // By name too, for engines that do not know a default of their own.
      { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
      ...ALLOWED_SOCKET_FAMILIES.map((family) => allowEqual('socket', 0, family)),
      ...ALLOWED_PERSONALITIES.map((domain) => allowEqual('personality', 0, domain)),
      { names: [...DENIED_SYSCALLS], action: 'SCMP_ACT_ERRNO', errnoRet: EPERM },
    ],
  };
}

function allowEqual(name: string, index: number, value: number): SeccompRule {
  return { names: [name], action: 'SCMP_ACT_ALLOW', args: [{ index, value, op: 'SCMP_CMP_EQ' }] };
}

function allowMasked(name: string, index: number, mask: number): SeccompRule {
  return {
    names: [name],
    action: 'SCMP_ACT_ALLOW',
    args: [{ index, value: mask, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
  };
}
