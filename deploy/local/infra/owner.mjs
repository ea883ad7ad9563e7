import { chownSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from './process.mjs';

/** Postgres refuses to run as root: then `{ uid, gid }` of the user postgres, else nobody. Not root: undefined. */
export async function unprivilegedOwner() {
  if (process.getuid?.() !== 0) return undefined;
  for (const user of ['postgres', 'nobody']) {
    const uid = await runProgram('id', ['-u', user]);
    const gid = await runProgram('id', ['-g', user]);
    if (uid.code === 0 && gid.code === 0) return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  }
  throw new Error('running as root, and there is neither a user "postgres" nor "nobody" to run Postgres as');
}

/**
 * Makes a folder that `owner` can reach and write. It is `preferred` when every parent lets the owner through;
 * a clone under a mode-0700 home does not, then it is a fresh folder for temporary files.
 * Returns `{ folder, temporary }`.
 */
export async function ownedFolder(preferred, owner) {
  mkdirSync(preferred, { recursive: true, mode: 0o700 });
  if (owner === undefined) return { folder: preferred, temporary: false };
  chownSync(preferred, owner.uid, owner.gid);
  if (await canEnter(preferred, owner)) return { folder: preferred, temporary: false };
  return { folder: await temporaryOwnedFolder(owner), temporary: true };
}

/** A fresh folder for temporary files that `owner` can reach and write. */
export async function temporaryOwnedFolder(owner) {
  for (const parent of new Set([tmpdir(), '/tmp', '/var/tmp'])) {
    if (!(await canEnter(parent, owner))) continue;
    const folder = mkdtempSync(join(parent, 'daya-'));
    chownSync(folder, owner.uid, owner.gid);
    return folder;
  }
  throw new Error(`user ${owner.uid} can reach no folder for temporary files`);
}

/** Whether the user gets into the folder. Tried, not computed from mode bits: mounts and ACLs have a say too. */
export async function canEnter(folder, owner) {
  if (owner === undefined) return true;
  const result = await runProgram('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], { ...owner, cwd: '/' });
  return result.code === 0;
}
