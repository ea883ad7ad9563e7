import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

const OTHERS_PASS = 0o001;

/**
 * Where run folders may be. The sandbox's user namespace walks the whole path as "others", so a state folder below a
 * private home is no place for them; then a folder of root's own below /var/tmp is taken, named by the state folder
 * so that the next life finds it again. Throws when that name belongs to somebody else.
 */
export function sandboxFolder(stateFolder: string): string {
  const below = join(stateFolder, 'sandbox');
  if (othersPass(stateFolder)) return below;
  const folder = `/var/tmp/daya-agent-${createHash('sha256').update(stateFolder).digest('hex').slice(0, 16)}`;
  if (!existsSync(folder)) mkdirSync(folder, { mode: 0o711 });
  const stat = lstatSync(folder);
  if (!stat.isDirectory() || stat.uid !== process.getuid?.()) throw new Error(`${folder} belongs to somebody else`);
  return folder;
}

/** True when others may pass through this folder and everything above it. */
export function othersPass(folder: string): boolean {
  if ((statSync(folder).mode & OTHERS_PASS) === 0) return false;
  const parent = dirname(folder);
  return parent === folder || othersPass(parent);
}
