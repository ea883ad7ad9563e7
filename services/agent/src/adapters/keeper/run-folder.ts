import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunLimits } from '../../application/ports';
import { RUN_FILES } from './keeper-protocol';

const COMMAND_TIMEOUT_MS = 30_000;

/**
 * Makes a run's folder: a pipe for its output, and one memory-backed file system with /scratch and /tmp of the task,
 * mounted on the host so that it outlives the container and its fullness can be read afterwards. `owner` is the host
 * user that the task is in truth; null when only the engine knows it, and then the folders are open below a passable
 * but unlistable one.
 */
export function makeRunFolder(runFolder: string, limits: RunLimits, owner: number | null): void {
  mkdirSync(runFolder, { mode: 0o711 });
  // The umask may have taken the traverse bit, without which the user namespace cannot reach its mounts.
  chmodSync(runFolder, 0o711);
  run('mkfifo', ['-m', '0600', join(runFolder, RUN_FILES.logPipe)]);
  if (owner !== null) chownSync(join(runFolder, RUN_FILES.logPipe), owner, owner);
  // Made before the keeper runs, so that the agent can follow it from the first byte.
  writeFileSync(join(runFolder, RUN_FILES.log), '', { mode: 0o600 });
  const space = join(runFolder, RUN_FILES.space);
  mkdirSync(space);
  const options = `mode=0711,nosuid,nodev,size=${limits.scratchBytes},nr_inodes=${limits.scratchInodes}`;
  run('mount', ['-t', 'tmpfs', '-o', options, 'daya-scratch', space]);
  for (const name of [RUN_FILES.scratch, RUN_FILES.tmp]) {
    mkdirSync(join(runFolder, name), { mode: 0o700 });
    if (owner === null) chmodSync(join(runFolder, name), 0o1777);
    else chownSync(join(runFolder, name), owner, owner);
  }
  mkdirSync(join(runFolder, RUN_FILES.inputs), { mode: 0o755 });
  chmodSync(join(runFolder, RUN_FILES.inputs), 0o755);
}

export function writeConfig(runFolder: string, spec: object): void {
  writeFileSync(join(runFolder, 'config.json'), JSON.stringify(spec), { mode: 0o600 });
}

/** How much of scratch is used, and whether bytes or inodes ran out. Call while it is mounted. */
export function readSpace(runFolder: string): { readonly usedBytes: number; readonly full: boolean } {
  const space = statfsSync(join(runFolder, RUN_FILES.space));
  return { usedBytes: (space.blocks - space.bfree) * space.bsize, full: space.bavail === 0 || space.ffree === 0 };
}

/** Unmounts and removes everything of a run; safe to repeat. Throws when something is still there afterwards. */
export function removeRunFolder(runFolder: string): void {
  if (!existsSync(runFolder)) return;
  const space = join(runFolder, RUN_FILES.space);
  for (let tries = 0; isMounted(space); tries += 1) {
    if (tries === 3) throw new Error('the scratch of a run cannot be unmounted');
    // Lazily: a process in uninterruptible sleep must not keep the wiping of a stranger's data waiting.
    spawnSync('umount', ['-l', space], { timeout: COMMAND_TIMEOUT_MS });
  }
  rmSync(runFolder, { recursive: true, force: true, maxRetries: 3 });
}

function isMounted(folder: string): boolean {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[4] === escapeMountPath(folder));
}

/** The kernel writes blanks and backslashes of paths as octal. */
function escapeMountPath(path: string): string {
  return path.replace(/[ \t\n\\]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

function run(command: string, args: readonly string[]): void {
  const result = spawnSync(command, args, { encoding: 'utf8', timeout: COMMAND_TIMEOUT_MS });
  if (result.status !== 0) throw new Error(`${command} failed: ${result.error?.message ?? result.stderr}`);
}
