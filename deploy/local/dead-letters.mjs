// `npm run dead-letters [-- <service> [--replay] [--consumer NAME] [--topic NAME]]`: events that a service of the kept
// platform could not handle and set aside; `--replay` has the running service try them again. In production the same tool
// runs beside the service: libs/messaging/README.md.
import { join } from 'node:path';
import { command, ROOT } from './lib/command.mjs';
import { readPlatform } from './platform/launch.mjs';

const TOOL = join(ROOT, 'libs/messaging/dist/replay/main.js');

const platform = readPlatform(join(ROOT, '.daya/demo'));
if (platform === undefined) {
  process.stdout.write('no platform is running (npm run demo -- --keep)\n');
  process.exit(1);
}
const withDatabase = Object.keys(platform.env).filter((name) => platform.env[name].DATABASE_SYSTEM_URL);
const [service, ...flags] = process.argv.slice(2);
const asked = service === undefined || service.startsWith('--') ? withDatabase : [service];
const rest = asked === withDatabase ? process.argv.slice(2) : flags;
const unknown = asked.find((name) => !withDatabase.includes(name));
if (unknown !== undefined) {
  process.stderr.write(`${unknown} is no service with a database: ${withDatabase.join(', ')}\n`);
  process.exit(2);
}
const filters = rest.filter((flag) => flag !== '--replay' && flag !== '--list');
const args = rest.includes('--replay') ? filters : ['--list', ...filters];
for (const name of asked) {
  const { DATABASE_SYSTEM_URL } = platform.env[name];
  const env = { ...process.env, DATABASE_SYSTEM_URL };
  const { code, output } = await command(process.execPath, [TOOL, ...args], { env, show: false, allowFailure: true });
  process.stdout.write(`${name}: ${output.trim()}\n`);
  if (code !== 0) process.exitCode = 1;
}
