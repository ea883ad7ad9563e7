// Completes package-lock.json for every platform: a registry that lacks some platforms' optional packages makes npm leave
// their entries out, and `npm ci` then refuses the lock elsewhere (docs/adr/0010). Run after each `npm install`.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './command.mjs';

const PATH = join(ROOT, 'package-lock.json');
const OS = {
  darwin: 'darwin',
  linux: 'linux',
  win32: 'win32',
  windows: 'win32',
  freebsd: 'freebsd',
  android: 'android',
  netbsd: 'netbsd',
  openbsd: 'openbsd',
  sunos: 'sunos',
  aix: 'aix',
  openharmony: 'openharmony',
};
const CPU = {
  x64: 'x64',
  arm64: 'arm64',
  ia32: 'ia32',
  x86: 'ia32',
  arm: 'arm',
  armv7: 'arm',
  ppc64: 'ppc64',
  s390x: 's390x',
  riscv64: 'riscv64',
  loong64: 'loong64',
  mips64el: 'mips64el',
  aarch64: 'arm64',
};

const lookUp = (table, name) =>
  name
    .split(/[-/]/)
    .map((word) => table[word])
    .find(Boolean);
const lock = JSON.parse(readFileSync(PATH, 'utf8'));
let added = 0;
for (const entry of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`;
    const os = lookUp(OS, name);
    if (lock.packages[key] || !/^\d/.test(version) || !os) continue;
    const cpu = lookUp(CPU, name);
    lock.packages[key] = { version, optional: true, os: [os], ...(cpu ? { cpu: [cpu] } : {}) };
    added += 1;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)));
// A workspace's link needs its folder; every other URL binds the lock to one registry's host.
for (const entry of Object.values(lock.packages)) if (!entry.link) delete entry.resolved;
writeFileSync(PATH, `${JSON.stringify(lock, null, 2)}\n`);
process.stderr.write(`package-lock.json: ${added} entries added\n`);
