/**
 * Reads a demo job: a JobSpec in proto-JSON whose placeholders name an image or a file of this folder.
 *
 *   {{image:<name>}}   → manifest digest of that image of `deploy/images`
 *   {{sha256:<file>}}  → hash of that file, which the caller uploads as an artifact
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const JOBS_FOLDER = dirname(fileURLToPath(import.meta.url));
const PLACEHOLDER = /\{\{(image|sha256):([\w./-]+)\}\}/g;

/** Images that a job of this folder runs on, by its placeholders. */
export async function imagesOf(jobName) {
  const text = await readTemplate(jobName);
  return [...text.matchAll(PLACEHOLDER)].filter(([, kind]) => kind === 'image').map(([, , name]) => name);
}

/**
 * @param {'ai' | 'render'} jobName
 * @param {{ digests: Record<string, string> }} options manifest digest per image name, from `buildImage`
 * @returns {Promise<{ spec: object, inputs: { sha256: string, file: string, bytes: Buffer }[] }>}
 *   spec: ready to submit once the inputs are in the artifact store
 * @throws {Error} when the digest of an image is missing or a file does not exist
 */
export async function loadJob(jobName, { digests }) {
  const text = await readTemplate(jobName);
  const inputs = [];
  const values = new Map();
  for (const [placeholder, kind, name] of text.matchAll(PLACEHOLDER)) {
    if (kind === 'image') {
      if (!digests[name]) throw new Error(`job ${jobName} needs the digest of image "${name}"`);
      values.set(placeholder, digests[name]);
    } else {
      const bytes = await readFile(join(JOBS_FOLDER, name));
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      inputs.push({ sha256, file: join(JOBS_FOLDER, name), bytes });
      values.set(placeholder, sha256);
    }
  }
  return { spec: JSON.parse(text.replace(PLACEHOLDER, (placeholder) => values.get(placeholder))), inputs };
}

function readTemplate(jobName) {
  return readFile(join(JOBS_FOLDER, `${jobName}.json`), 'utf8');
}
