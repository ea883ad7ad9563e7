import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILE = 'infra.json';

/**
 * `runDir/infra.json` is the only memory of a stack: addresses, secrets, what runs as which process, how to start it again.
 * It is read before every action, so that the launcher and a process that attached later do not contradict each other.
 */
export function readState(runDir) {
  try {
    return JSON.parse(readFileSync(join(runDir, FILE), 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Writes the whole state in one step, readable by its owner only (it holds the superuser's password). */
export function writeState(runDir, state) {
  const target = join(runDir, FILE);
  const draft = `${target}.${process.pid}.${randomBytes(4).toString('hex')}`;
  writeFileSync(draft, `${JSON.stringify(state, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(draft, target);
}

/** Reads, lets `change` edit, writes. Synchronous on purpose: nothing of this process comes in between. */
export function updateState(runDir, change) {
  const state = readState(runDir);
  if (state === undefined) return;
  change(state);
  writeState(runDir, state);
}

export function removeState(runDir) {
  rmSync(join(runDir, FILE), { force: true });
}
