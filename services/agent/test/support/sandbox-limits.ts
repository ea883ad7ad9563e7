import type { RunLimits } from '../../src/application/ports';

export const LIMITS: RunLimits = {
  memoryBytes: 32 << 20,
  cpuMilli: 1_000,
  pids: 64,
  scratchBytes: 8 << 20,
  scratchInodes: 1_024,
  inputBytes: 1 << 20,
  logBytes: 64 << 10,
  maxWallMs: 10_000,
};
