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
 * @returns the platform: `services.<name>` (start, stop, kill, restart, env), `http`, `partner`, `operatorKey`, `stop()`
 */
export async function startPlatform({ runDir, infra, timerScale, canary, extra = {}, log = () => undefined }) {
  mkdirSync(join(runDir, 'logs'), { recursive: true });
  writeFileSync(join(runDir, 'canary.json'), JSON.stringify(canary));
  const { env, databases, tlsFolder } = await setUp({ runDir, infra, timerScale, extra });
  const services = Object.fromEntries(
    SERVICES.map(({ name }) => [
      name,
      new ServiceProcess({ name, env: env[name], logFile: join(runDir, 'logs', `${name}.log`) }),
    ]),
  );
  try {
    await inPairs(SERVICES, async ({ name }) => {
      await services[name].start();
      log(`  ${name} is ready`);
    });
    const operatorKey = await bootstrapOperator(env.registry);
    return describe({ runDir, env, services, databases, tlsFolder, operatorKey, timerScale });
  } catch (error) {
    await Promise.all(Object.values(services).map((service) => service.kill()));
    throw error;
  }
}

/** Two at a time: the machines this is made for have two cores. */
async function inPairs(items, work) {
  const queue = [...items];
  await Promise.all(
    [1, 2].map(async () => {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
    }),
  );
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

function describe({ runDir, env, services, databases, tlsFolder, operatorKey, timerScale }) {
  const platform = {
    runDir,
    timerScale,
    tlsFolder,
    operatorKey,
    databases,
    http: `http://127.0.0.1:${env.gateway.HTTP_PORT}`,
    partner: `localhost:${env.gateway.PARTNER_PORT}`,
    enrolment: `localhost:${env.dispatch.ENROLMENT_PORT}`,
    env,
    pids: Object.fromEntries(Object.entries(services).map(([name, service]) => [name, service.pid])),
  };
  writeFileSync(join(runDir, 'platform.json'), JSON.stringify(platform, null, 2), { mode: 0o600 });
  // The edge first, so that nothing new comes in; then those that others call.
  const stop = async () => {
    for (const { name } of [...SERVICES].reverse()) await services[name].stop();
  };
  return { ...platform, services, stop };
}

/** What platform.json in a run folder says, or undefined when there is none. */
export function readPlatform(runDir) {
  try {
    return JSON.parse(readFileSync(join(runDir, 'platform.json'), 'utf8'));
  } catch {
    return undefined;
  }
}
