// Removes the validation of ten request fields, drawn by the commit, one by one from a running platform; each removal must
// turn a case of the hostile suite red, at its own field. What only the service's own tests notice is named as such.
// node deploy/local/torture/validations.mjs [--seed X] [--count N] [--only field,field]   (after `nx run-many -t build bundle`)
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { startInfra, stopOnSignals } from '../infra/index.mjs';
import { command, ROOT } from '../lib/command.mjs';
import { attachPlatform } from '../platform/launch.mjs';
import { startTestPlatform, stopTestPlatform } from '../platform/test-platform.mjs';
import { commitHash, drawAcross, option } from './draw.mjs';
import { fieldChecks } from './field-checks.mjs';
import { applied } from './mutators.mjs';
import { Scratch } from './scratch.mjs';
import { runTests } from './verdict.mjs';

const FIELDS = 10;
const HOSTILE_MS = 420_000;
const OWN_MS = 600_000;

/** The hostile suite, with only the RPCs of one service. */
const hostile = (scratch, runDir, service) =>
  runTests(
    scratch,
    { project: 'e2e', files: 'e2e/hostile\\.test' },
    { env: { DAYA_PLATFORM: runDir, DAYA_HOSTILE_ONLY: `/daya.${service}.` }, timeoutMs: HOSTILE_MS },
  );

/** Fields that differ, so that ten removals are ten fields. */
function drawChecks(count, seed, only) {
  const idOf = ({ file, start }) => `${file}:${start}`;
  const all = fieldChecks().filter(({ field }) => only === undefined || only.includes(field));
  const drawn = drawAcross(all, all.length, seed, idOf, ({ service }) => service);
  const seen = new Set();
  const distinct = drawn.filter(({ field }) => only !== undefined || (!seen.has(field) && seen.add(field)));
  return { all: all.length, drawn: distinct.slice(0, count) };
}

/** Replaces a service of the platform by the copy's broken one while `work` runs. */
async function withBroken(scratch, runDir, service, work) {
  const folder = join(scratch.root, 'services', service);
  const emit = () => command(process.execPath, [join(scratch.root, 'deploy/local/emit.mjs')], { cwd: folder });
  const launch = join(scratch.root, 'deploy/local/platform/launch.mjs');
  const broken = (await import(pathToFileURL(launch).href)).attachPlatform(runDir).services[service];
  const healthy = attachPlatform(runDir).services[service];
  await emit();
  await healthy.stop();
  try {
    await broken.start();
    return await work();
  } finally {
    await broken.stop();
    await healthy.start();
  }
}

/** The lines of a red case that speak of the field: proof that it is red because of it. */
function caseAbout(field, { failures }) {
  for (const { name, message } of failures) {
    const line = message.split('\n').find((one) => one.includes('/daya.') && new RegExp(`\\b${field}\\b`).test(one));
    if (line !== undefined) return `${name}: ${line.trim().slice(0, 220)}`;
  }
  return undefined;
}

async function ownTests(scratch, service, infra, runDir) {
  const stack = join(runDir, 'stack.json');
  const { postgres, redis, kafka } = infra;
  writeFileSync(stack, JSON.stringify({ runDir, postgres, redis, kafka }), { mode: 0o600 });
  const tests = { project: service, files: `services/${service}/`, servers: true };
  return runTests(scratch, tests, { env: { DAYA_TEST_STACK: stack }, timeoutMs: OWN_MS });
}

async function remove(check, { scratch, runDir, infra }) {
  const started = Date.now();
  const done = (verdict) => ({ ...check, ...verdict, seconds: (Date.now() - started) / 1_000 });
  return scratch.changed(check.file, applied(scratch.read(check.file), check), async () => {
    const result = await withBroken(scratch, runDir, check.service, () => hostile(scratch, runDir, check.service));
    const about = result.outcome === 'red' ? caseAbout(check.field, result) : undefined;
    if (about !== undefined) return done({ caught: 'hostile', by: about });
    const own = await ownTests(scratch, check.service, infra, runDir);
    if (own.outcome === 'red') return done({ caught: 'own tests', by: own.by });
    const why =
      result.outcome === 'green'
        ? 'every case stayed green'
        : `${result.outcome}, but not about the field: ${result.by}`;
    return done({ caught: '', by: why });
  });
}

/** @returns {Promise<{ passed: number, failed: number, problems: string[] }>} */
export async function validations({
  seed = commitHash(),
  count = FIELDS,
  only,
  log = (line) => process.stderr.write(`${line}\n`),
} = {}) {
  const { all, drawn } = drawChecks(count, seed, only);
  log(`seed ${seed}: ${drawn.length} of ${all} field validations`);
  const runDir = join(ROOT, '.daya/torture', `validations-${process.pid}`);
  const scratch = new Scratch('validations-sources');
  mkdirSync(runDir, { recursive: true });
  const infra = await startInfra({ runDir: join(runDir, 'infra'), durable: true, log });
  stopOnSignals({ stop: () => stopTestPlatform(runDir) });
  const rows = [];
  try {
    await startTestPlatform({ runDir, infra, log });
    for (const service of new Set(drawn.map((check) => check.service))) {
      const { outcome, by } = await hostile(scratch, runDir, service);
      if (outcome !== 'green')
        throw new Error(`with every validation in place the cases of ${service} are ${outcome}: ${by}`);
      log(`  ${service}: green with every validation in place`);
    }
    for (const check of drawn) {
      const row = await remove(check, { scratch, runDir, infra });
      rows.push(row);
      log(lineOf(row));
    }
  } finally {
    await stopTestPlatform(runDir);
    scratch.remove();
    rmSync(runDir, { recursive: true, force: true, maxRetries: 3 });
  }
  writeFileSync(join(ROOT, '.daya/torture/validations.json'), JSON.stringify({ seed, rows }, null, 2));
  const survivors = rows.filter(({ caught }) => caught === '');
  const problems = survivors.map(
    (row) => `nobody misses the validation of ${row.field} (${row.file}:${row.line}): ${row.by}`,
  );
  log(`removed validations (seed ${seed}): ${rows.length - survivors.length} of ${rows.length} caught`);
  return { passed: rows.length - survivors.length, failed: survivors.length, problems };
}

const lineOf = ({ file, line, field, caught, by, seconds }) =>
  `${(caught || 'SURVIVED').padEnd(9)} ${field.padEnd(24)} ${seconds.toFixed(1).padStart(6)} s  ${file}:${line}\n            ${by}`;

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { passed, failed, problems } = await validations({
    seed: option('seed'),
    count: option('count') && Number(option('count')),
    only: option('only')?.split(','),
  });
  for (const problem of problems) process.stderr.write(`\n✗ ${problem}\n`);
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  process.exit(failed === 0 ? 0 : 1);
}
