// A copy of the repository in which sources may be broken. Third-party packages are found in the original's node_modules,
// further up; the workspace's own resolve inside the copy.
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { cacheFolder } from '../infra/paths.mjs';
import { ROOT } from '../lib/command.mjs';

const LEFT_OUT = new Set(['.git', '.daya', '.nx', 'node_modules', 'out-tsc']);

export class Scratch {
  constructor(name) {
    this.root = join(ROOT, '.daya/torture', `${name}-${process.pid}`);
    rmSync(this.root, { recursive: true, force: true });
    mkdirSync(this.root, { recursive: true });
    cpSync(join(ROOT, 'node_modules/@daya'), join(this.root, 'node_modules/@daya'), {
      recursive: true,
      verbatimSymlinks: true,
    });
    // Node refuses to copy a folder into itself, and this one lies below the root: entry by entry.
    for (const entry of ['bench', 'deploy', 'docs', 'e2e', 'libs', 'proto', 'services', ...ROOT_FILES])
      cpSync(join(ROOT, entry), join(this.root, entry), { recursive: true, filter: isWanted });
  }

  /** What child processes need to know to use the original's downloads. */
  get env() {
    return { ...process.env, DAYA_CACHE_DIR: cacheFolder() };
  }

  read(file) {
    return readFileSync(join(this.root, file), 'utf8');
  }

  write(file, text) {
    writeFileSync(join(this.root, file), text);
  }

  /** Runs `work` while a file of the copy reads differently; it reads as before afterwards, whatever happens. */
  async changed(file, text, work) {
    const original = this.read(file);
    this.write(file, text);
    try {
      return await work();
    } finally {
      this.write(file, original);
    }
  }

  remove() {
    rmSync(this.root, { recursive: true, force: true, maxRetries: 3 });
  }
}

const ROOT_FILES = [
  'package.json',
  'jest.config.mjs',
  'nx.json',
  'tsconfig.json',
  'tsconfig.base.json',
  'docker-compose.yml',
];

const isWanted = (path) => !LEFT_OUT.has(basename(path));
