// Brings node_modules to what the lock file says; nothing to do when it is there already.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, command } from './command.mjs';

const MARK = join(ROOT, 'node_modules/.daya-lock-sha256');

const lockHash = () =>
  createHash('sha256')
    .update(readFileSync(join(ROOT, 'package-lock.json')))
    .update(process.version)
    .digest('hex');

/** Refuses a Node that the dependencies do not run on, with the versions that they do. */
export function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const fits = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major === 23 || major === 24;
  if (!fits) throw new Error(`Daya needs Node ^20.19 || >=22.12 <25; this is ${process.version}`);
}

export async function install() {
  requireNode();
  if (existsSync(MARK) && readFileSync(MARK, 'utf8') === lockHash()) return false;
  await command('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { timeoutMs: 900_000 });
  writeFileSync(MARK, lockHash());
  return true;
}
