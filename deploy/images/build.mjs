#!/usr/bin/env node
/**
 * Builds the OCI images of the demo jobs without Docker: Debian packages by mmdebstrap, pinned wheels by pip,
 * written as an OCI image layout. Plain Node with nothing installed, because it runs before `npm ci` may have.
 *
 *   node deploy/images/build.mjs [name…]      builds (or finds in the cache) and prints one JSON line per image
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeOciLayout } from './lib/oci-layout.mjs';
import { missingTools } from './lib/host-tools.mjs';
import { buildRootfs } from './lib/rootfs.mjs';

const IMAGES_FOLDER = dirname(fileURLToPath(import.meta.url));
const REPOSITORY_ROOT = resolve(IMAGES_FOLDER, '..', '..');
const CACHE_FOLDER = join(REPOSITORY_ROOT, '.daya', 'cache', 'images');
const ABANDONED_AFTER_MS = 3_600_000;

/** Names of the images that have a recipe, sorted. */
export function imageNames() {
  return readdirSync(IMAGES_FOLDER, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(IMAGES_FOLDER, entry.name, 'recipe.json')))
    .map((entry) => entry.name)
    .sort();
}

/**
 * Builds one image, or finds it in the cache. The cache key covers the recipe's files, the build scripts and the
 * architecture; an unfinished build never appears under its final name, so builds may run side by side.
 *
 * @param {string} name folder below `deploy/images`
 * @param {{ log?: (line: string) => void, cacheFolder?: string }} [options]
 * @returns {Promise<{ name: string, digest: string, layoutDir: string, bytes: number, cached: boolean }>}
 *   digest of the manifest, and the bytes of all blobs
 * @throws {Error} unknown name, missing tool (with the line to type), failed step
 */
export async function buildImage(name, { log = () => {}, cacheFolder = CACHE_FOLDER } = {}) {
  if (!imageNames().includes(name)) throw new Error(`unknown image "${name}"; known: ${imageNames().join(', ')}`);
  const recipeFolder = join(IMAGES_FOLDER, name);
  const layoutDir = join(cacheFolder, `${name}-${cacheKey(recipeFolder).slice(0, 12)}`);
  if (existsSync(join(layoutDir, 'index.json'))) {
    log(`image ${name}: cached in ${relative(REPOSITORY_ROOT, layoutDir)}`);
    return { name, ...(await describeLayout(layoutDir)), layoutDir, cached: true };
  }
  await refuseMissingTools(recipeFolder);
  await mkdir(cacheFolder, { recursive: true });
  await sweepAbandonedBuilds(cacheFolder);
  const workFolder = await mkdtemp(join(cacheFolder, `.building-${name}-`));
  try {
    await buildInto(workFolder, recipeFolder, name, log);
    await publish(join(workFolder, 'layout'), layoutDir);
  } finally {
    await rm(workFolder, { recursive: true, force: true });
  }
  return { name, ...(await describeLayout(layoutDir)), layoutDir, cached: false };
}

async function buildInto(workFolder, recipeFolder, name, log) {
  const recipe = JSON.parse(await readFile(join(recipeFolder, 'recipe.json'), 'utf8'));
  const rootfs = join(workFolder, 'rootfs');
  const startedAtMs = Date.now();
  const step = (what) => log(`image ${name}: ${what} (${((Date.now() - startedAtMs) / 1000).toFixed(1)} s)`);
  await buildRootfs({ recipe, recipeFolder, rootfs, step });
  step('packing the layer');
  await writeOciLayout({ rootfs, layoutFolder: join(workFolder, 'layout'), config: recipe.config });
  step('done');
}

/** Removes what killed builds left behind; a build that still runs is younger. */
async function sweepAbandonedBuilds(cacheFolder) {
  for (const entry of await readdir(cacheFolder)) {
    if (!entry.startsWith('.building-')) continue;
    const path = join(cacheFolder, entry);
    const found = await stat(path).catch(() => undefined);
    if (found && Date.now() - found.mtimeMs > ABANDONED_AFTER_MS) await rm(path, { recursive: true, force: true });
  }
}

/** Moves the finished layout to its name; when another build was faster, its equal result stays. */
async function publish(finishedLayout, layoutDir) {
  try {
    await rename(finishedLayout, layoutDir);
  } catch (error) {
    if (!existsSync(join(layoutDir, 'index.json'))) throw error;
  }
}

async function describeLayout(layoutDir) {
  const index = JSON.parse(await readFile(join(layoutDir, 'index.json'), 'utf8'));
  const [descriptor] = index.manifests;
  const manifest = JSON.parse(await readFile(join(layoutDir, 'blobs', ...descriptor.digest.split(':')), 'utf8'));
  const blobs = [descriptor, manifest.config, ...manifest.layers];
  return { digest: descriptor.digest, bytes: blobs.reduce((sum, blob) => sum + blob.size, 0) };
}

async function refuseMissingTools(recipeFolder) {
  const missing = missingTools({ wheels: existsSync(join(recipeFolder, 'requirements.txt')) });
  if (missing.length > 0) {
    const packages = missing.map((tool) => tool.debianPackage).join(' ');
    throw new Error(
      `cannot build images: ${missing.map((tool) => tool.name).join(', ')} missing; type: ` +
        `apt-get install --no-install-recommends -y ${packages}`,
    );
  }
  if (process.getuid?.() !== 0) {
    throw new Error('cannot build images: mmdebstrap needs root here; type: sudo node deploy/images/build.mjs');
  }
}

/** sha256 over architecture, build scripts and recipe: paths and bytes, in sorted order. */
function cacheKey(recipeFolder) {
  const hash = createHash('sha256').update(`${process.arch}\n`);
  const files = [
    ...filesBelow(recipeFolder),
    ...filesBelow(join(IMAGES_FOLDER, 'lib')),
    join(IMAGES_FOLDER, 'build.mjs'),
  ];
  for (const file of files.sort()) {
    const content = createHash('sha256').update(readFileSync(file)).digest('hex');
    hash.update(`${relative(IMAGES_FOLDER, file)}\n${content}\n`);
  }
  return hash.digest('hex');
}

function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

async function main(names) {
  const log = (line) => process.stderr.write(`${line}\n`);
  // One after the other: on two cores, apt, the compile step and gzip already use both.
  for (const name of names.length > 0 ? names : imageNames()) {
    const image = await buildImage(name, { log });
    process.stdout.write(`${JSON.stringify({ ...image, layoutDir: relative(REPOSITORY_ROOT, image.layoutDir) })}\n`);
  }
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main(process.argv.slice(2)).catch((error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  });
}
