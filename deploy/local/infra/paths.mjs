import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const REPOSITORY_ROOT = resolve(fileURLToPath(new URL('../../../', import.meta.url)));
export const COMPOSE_FILE = join(REPOSITORY_ROOT, 'docker-compose.yml');
export const KAFKA_VERSION = '4.4.0';

/** Downloads that outlive a run. DAYA_CACHE_DIR moves them (to share one cache between clones, or to test an empty one). */
export function cacheFolder() {
  return process.env.DAYA_CACHE_DIR ? resolve(process.env.DAYA_CACHE_DIR) : join(REPOSITORY_ROOT, '.daya', 'cache');
}
