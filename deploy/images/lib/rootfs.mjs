import { existsSync } from 'node:fs';
import { chmod, cp, lstat, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool } from './host-tools.mjs';

/** Where the agent mounts things. They must exist: the root file system is read-only at run time. */
const MOUNT_TARGETS = ['proc', 'sys', 'dev', 'tmp', 'scratch', 'inputs', '.daya'];
const WHEEL_PLATFORMS = { x64: 'x86_64', arm64: 'aarch64' };
const DEBIAN_LEFTOVERS = [
  'var/cache/apt',
  'var/lib/apt',
  'var/lib/dpkg',
  'var/log',
  'etc/apt',
  'etc/cron.daily',
  'etc/hostname',
  'etc/resolv.conf',
  'usr/share/locale',
  'usr/share/man',
  'usr/share/info',
  'usr/share/lintian',
  'usr/share/doc-base',
];

/**
 * Fills `rootfs` by the recipe: packages, wheels, files, links, then everything an image must contain (README).
 *
 * @param {{ recipe: object, recipeFolder: string, rootfs: string, step: (what: string) => void }} options
 */
export async function buildRootfs({ recipe, recipeFolder, rootfs, step }) {
  step(`extracting ${recipe.packages.length} packages of Debian ${recipe.suite} and what they need`);
  // `extract` runs no maintainer script: three seconds instead of thirty, and nothing of dpkg in the result.
  await runTool('mmdebstrap', [
    '--mode=root',
    '--variant=extract',
    '--aptopt=Acquire::Languages "none"',
    '--aptopt=Acquire::Retries "3"',
    `--include=${recipe.packages.join(',')}`,
    recipe.suite,
    rootfs,
  ]);
  await removeLeftovers(rootfs);
  if (recipe.python) await installWheels({ python: recipe.python, recipeFolder, rootfs, step });
  if (existsSync(join(recipeFolder, 'files'))) await cp(join(recipeFolder, 'files'), rootfs, { recursive: true });
  await linkBusybox(rootfs);
  await writeAccounts(rootfs);
  await makeMountTargets(rootfs);
  await openForStrangers(rootfs);
}

async function removeLeftovers(rootfs) {
  for (const path of DEBIAN_LEFTOVERS) await rm(join(rootfs, path), { recursive: true, force: true });
  // Licences stay; change logs and readmes go.
  await runTool('find', [
    join(rootfs, 'usr/share/doc'),
    '-mindepth',
    '2',
    '-not',
    '-name',
    'copyright',
    '-not',
    '-type',
    'd',
    '-delete',
  ]);
}

/** Wheels by exact version and hash, byte-compiled by the image's own interpreter: at run time nothing can be written. */
async function installWheels({ python, recipeFolder, rootfs, step }) {
  const requirements = join(recipeFolder, 'requirements.txt');
  const machine = WHEEL_PLATFORMS[process.arch];
  if (!machine) throw new Error(`no wheels for the architecture ${process.arch}`);
  step('installing pinned wheels');
  const platforms = [`manylinux_2_28_${machine}`, `manylinux_2_27_${machine}`, `manylinux2014_${machine}`];
  await runTool('python3', [
    ...['-m', 'pip', 'install', '--quiet', '--no-deps', '--no-compile', '--require-hashes', '--only-binary=:all:'],
    ...['--implementation', 'cp', '--python-version', python.version, '--abi', `cp${python.version.replace('.', '')}`],
    ...platforms.flatMap((platform) => ['--platform', platform]),
    ...['--root-user-action=ignore', '--target', join(rootfs, python.target), '-r', requirements],
  ]);
  // The packages' own tests are a third of the bytes and never imported.
  await runTool('find', [
    join(rootfs, python.target),
    '-type',
    'd',
    '-name',
    'tests',
    '-prune',
    '-exec',
    'rm',
    '-rf',
    '{}',
    '+',
  ]);
  step('compiling the modules');
  const roots = [`/${python.target}`, `/usr/lib/python${python.version}`];
  await runTool('chroot', [
    ...[rootfs, `/usr/bin/python${python.version}`, '-m', 'compileall', '-q', '-j', '2'],
    // Unchecked: the layer sets every time stamp to one value, which the usual check would take for a change.
    ...['--invalidation-mode', 'unchecked-hash', '-x', '/(test|lib2to3|idlelib)/', ...roots],
  ]);
}

/** `/bin/sh` and the small tools that scripts expect, where the recipe includes busybox. */
async function linkBusybox(rootfs) {
  if (!existsSync(join(rootfs, 'bin/busybox'))) return;
  const applets = [
    'sh',
    'cat',
    'cp',
    'date',
    'dd',
    'echo',
    'env',
    'find',
    'grep',
    'head',
    'ls',
    'mkdir',
    'mv',
    'printf',
    'rm',
    'sed',
    'sleep',
    'sort',
    'tail',
    'tar',
    'tr',
    'true',
    'wc',
    'yes',
  ];
  for (const applet of applets) {
    const path = join(rootfs, 'bin', applet);
    if (!existsSync(path)) await symlink('busybox', path);
  }
}

async function writeAccounts(rootfs) {
  await writeFile(
    join(rootfs, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/scratch:/bin/sh\n',
  );
  await writeFile(join(rootfs, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n');
  await writeFile(join(rootfs, 'etc/hosts'), '127.0.0.1 localhost\n::1 localhost\n');
}

async function makeMountTargets(rootfs) {
  for (const target of MOUNT_TARGETS) {
    const path = join(rootfs, target);
    const found = await lstat(path).catch(() => undefined);
    if (found && !found.isDirectory()) throw new Error(`/${target} of the image is not a folder`);
    await mkdir(path, { recursive: true });
    for (const entry of await readdir(path)) await rm(join(path, entry), { recursive: true, force: true });
    await chmod(path, target === 'tmp' ? 0o1777 : 0o755);
  }
}

/** Tasks run as uid 65534, whom nothing here belongs to: all must be readable by others, and nothing may be setuid. */
async function openForStrangers(rootfs) {
  await runTool('find', [rootfs, '-perm', '/6000', '-not', '-type', 'l', '-exec', 'chmod', 'a-s', '{}', '+']);
  await runTool('chmod', ['-R', 'u+rwX,go+rX,go-w', rootfs]);
  await chmod(join(rootfs, 'tmp'), 0o1777);
}
