// Starts the whole platform in a folder and says where it is; platform.json there lets other commands find it.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { command, ROOT } from '../lib/command.mjs';
import { SERVICES } from './catalogue.mjs';
import { setUp } from './environment.mjs';
import { ServiceProcess } from './service-process.mjs';

/**
 * @param runDir folder of this platform; logs in logs/, everything else beside
 * @param infra what startInfra returned
 * @param timerScale see libs/kernel timers
 * @param canary JobSpec of the admission canary (proto JSON)
 * @param extra environment per service name ('*': all), on top of the usual
 * @returns the platform, see attachPlatform
 */
export async function startPlatform({ runDir, infra, timerScale, canary, extra = {}, log = () => undefined }) {
  mkdirSync(join(runDir, 'logs'), { recursive: true });
  writeFileSync(join(runDir, 'canary.json'), JSON.stringify(canary));
  const { env, databases, tlsFolder } = await setUp({ runDir, infra, timerScale, extra });
  write(runDir, {
    runDir,
    timerScale,
    tlsFolder,
    databases,
    http: `http://127.0.0.1:${env.gateway.HTTP_PORT}`,
    partner: `localhost:${env.gateway.PARTNER_PORT}`,
    enrolment: `localhost:${env.dispatch.ENROLMENT_PORT}`,
    env,
    pids: {},
  });
  const platform = attachPlatform(runDir);
  try {
    await inPairs(SERVICES, async ({ name }) => {
      await platform.services[name].start();
      log(`  ${name} is ready`);
    });
    write(runDir, { ...readPlatform(runDir), operatorKey: await bootstrapOperator(env.registry) });
    return attachPlatform(runDir);
  } catch (error) {
    await platform.stop();
    throw error;
  }
}

/**
 * The platform that runs in a folder: what platform.json says, and `services.<name>` (start, stop, kill, restart, env, pid),
 * whoever started them; `stop()` ends all of them. Throws when there is none.
 */
export function attachPlatform(runDir) {
  const known = readPlatform(runDir);
  if (known === undefined) throw new Error(`no platform is recorded in ${runDir}`);
  const remember = ({ name, pid }) => {
    const now = readPlatform(runDir);
    write(runDir, { ...now, pids: { ...now.pids, [name]: pid } });
  };
  const process = ({ name }) =>
    new ServiceProcess({
      name,
      env: known.env[name],
      logFile: join(runDir, 'logs', `${name}.log`),
      pid: known.pids[name],
      onStart: remember,
    });
  const services = Object.fromEntries(SERVICES.map((service) => [service.name, process(service)]));
  // The edge first, so that nothing new comes in; then those that others call.
  const stop = async () => {
    const { pids } = readPlatform(runDir) ?? { pids: {} };
    for (const { name } of [...SERVICES].reverse()) {
      services[name].pid = pids[name];
      await services[name].stop();
    }
  };
  return { ...known, services, stop };
}

/** Two at a time: the machines this is made for have two cores. */
async function inPairs(items, work) {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all([worker(), worker()]);
}

async function bootstrapOperator(env) {
  const { output } = await command(
    process.execPath,
    [join(ROOT, 'services/registry/dist/main.js'), 'bootstrap-operator'],
    { env },
  );
  const key = output.trim().split('\n').at(-1);
  if (!key?.startsWith('daya_')) throw new Error(`bootstrap-operator printed no key:\n${output}`);
  return key;
}

const write = (runDir, platform) =>
  writeFileSync(join(runDir, 'platform.json'), JSON.stringify(platform, null, 2), { mode: 0o600 });

/** What platform.json in a run folder says, or undefined when there is none. */
export function readPlatform(runDir) {
  try {
    return JSON.parse(readFileSync(join(runDir, 'platform.json'), 'utf8'));
  } catch {
    return undefined;
  }
}
