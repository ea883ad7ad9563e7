import { readFileSync } from 'node:fs';
import { z } from 'zod';

const flag = z.enum(['true', 'false']).transform((value) => value === 'true');
const count = z.coerce.number().int().positive();
const address = z.string().regex(/^[^\s:]+:\d{1,5}$/, 'must be host:port');
const absolutePath = z.string().startsWith('/', 'must be an absolute path');

const CONFIG = z.object({
  /** Key, certificate, spool and fencing floor. Whoever reads it is the node. */
  STATE_FOLDER: absolutePath,
  /** The platform's enrolment listener. */
  ENROLMENT_ADDRESS: address,
  CA_CERTIFICATE_FILE: absolutePath,
  /** What the platform's certificate is for, when that is not the host of its address. */
  PLATFORM_SERVER_NAME: z.string().min(1).optional(),
  /** Needed once. */
  ENROLMENT_TOKEN: z.string().min(1).optional(),
  /** Declares GPUs that are not there; read only on a machine without nvidia-smi. */
  INVENTORY_FILE: absolutePath.optional(),
  ALLOW_EMULATED_GPUS: flag.default(false),
  /** The owner lets jobs use the network. */
  ALLOW_NETWORK: flag.default(false),
  CONTAINER_DRIVER: z.enum(['auto', 'runc', 'docker']).default('auto'),
  DOCKER_SOCKET: absolutePath.default('/var/run/docker.sock'),
  /** Run folders; default: below STATE_FOLDER. Where others may not pass, a folder below /var/tmp takes their place. */
  SANDBOX_FOLDER: absolutePath.optional(),
  /** Unpacked images; agents of one machine may share it. */
  IMAGE_FOLDER: absolutePath.optional(),
  PIDS_LIMIT: count.default(512),
  SCRATCH_INODES: count.default(200_000),
  LOG_LIMIT_BYTES: count.default(4 << 20),
  INPUT_LIMIT_BYTES: count.default(16 * 2 ** 30),
  /** Both as far as the platform takes them. */
  ARTIFACT_LIMIT_BYTES: count.default(16 * 2 ** 30),
  ARTIFACT_LIMIT_FILES: count.max(1_000).default(1_000),
  SPOOL_LIMIT_BYTES: count.default(64 << 20),
  TIMER_SCALE: z.coerce.number().gt(0).max(1).default(1),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
});

export type AgentConfig = z.infer<typeof CONFIG>;

/** Every problem at once. Values are never repeated: one of them is a token. */
export class ConfigError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(
      `the configuration has ${problems.length} problem(s):\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
    );
  }
}

/** Reads the environment over the JSON file that AGENT_CONFIG_FILE names, if it does. Throws ConfigError. */
export function loadConfig(environment: Readonly<Record<string, string | undefined>>): AgentConfig {
  const file = environment['AGENT_CONFIG_FILE'];
  const merged = { ...(file === undefined ? {} : readConfigFile(file)), ...withoutEmpty(environment) };
  const parsed = CONFIG.safeParse(merged);
  if (parsed.success) return parsed.data;
  throw new ConfigError(
    parsed.error.issues.map((issue) => {
      const name = issue.path.join('.');
      return Object.hasOwn(merged, name) ? `${name}: ${issue.message}` : `${name} is missing`;
    }),
  );
}

function readConfigFile(path: string): object {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new ConfigError([`AGENT_CONFIG_FILE: ${(error as NodeJS.ErrnoException).code ?? 'is not JSON'}`]);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    throw new ConfigError(['AGENT_CONFIG_FILE: is not a JSON object']);
  const unknown = Object.keys(content).filter((name) => !Object.hasOwn(CONFIG.shape, name));
  if (unknown.length > 0) throw new ConfigError(unknown.map((name) => `AGENT_CONFIG_FILE: ${name} is not a setting`));
  return Object.fromEntries(
    Object.entries(content).map(([name, value]) => [
      name,
      typeof value === 'boolean' ? String(value) : (value as unknown),
    ]),
  );
}

function withoutEmpty(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ''),
  );
}
