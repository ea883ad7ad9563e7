import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

const OTHERS_PASS = 0o001;

/**
 * Makes a folder for what sandboxes mount. Their user namespace walks the whole path as "others", so below a private
 * home it would be of no use; then a folder of root's own below /var/tmp takes its place, named by the wanted path so
 * that everybody who wants the same finds the same. Throws when that name belongs to somebody else.
 */
export function passableFolder(wanted: string): string {
  mkdirSync(wanted, { recursive: true, mode: 0o711 });
  if (othersPass(wanted)) return wanted;
  const folder = `/var/tmp/daya-agent-${createHash('sha256').update(wanted).digest('hex').slice(0, 16)}`;
  if (!existsSync(folder)) mkdirSync(folder, { mode: 0o711 });
  const stat = lstatSync(folder);
  if (!stat.isDirectory() || stat.uid !== process.getuid?.()) throw new Error(`${folder} belongs to somebody else`);
  return folder;
}

function othersPass(folder: string): boolean {
  if ((statSync(folder).mode & OTHERS_PASS) === 0) return false;
  const parent = dirname(folder);
  return parent === folder || othersPass(parent);
}
