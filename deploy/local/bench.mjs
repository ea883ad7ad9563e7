// `npm run bench -- <name>|all [--json]`: builds, starts the servers that the bench needs, measures, writes bench/RESULTS.md
// and says whether every goal is met (exit 0). `--json`: the last line of stdout is docs/contracts/bench.schema.json.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { ROOT, tool } from './lib/command.mjs';
import { install } from './lib/install.mjs';
import { Phases, seconds } from './lib/phases.mjs';
import { ensureTools, startInfra, stopOnSignals } from './infra/index.mjs';
import { allMet } from '../../bench/harness/result.mjs';
import { writeSection } from '../../bench/harness/report.mjs';

const NAMES = ['grpc', 'boot', 'submit'];
const RUN = join(ROOT, `.daya/bench-${process.pid}`);
const RESULTS = join(ROOT, 'bench/RESULTS.md');
const json = process.argv.includes('--json');
const phases = new Phases();

function chosen() {
  const [name, ...more] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
  if (name === 'all' && more.length === 0) return NAMES;
  if (NAMES.includes(name) && more.length === 0) return [name];
  throw new Error(`usage: npm run bench -- ${NAMES.join('|')}|all [--json]`);
}

async function build(benches) {
  const platform = benches.some(({ needs }) => needs.platform);
  const projects = platform ? [] : ['--projects', '@daya/bench'];
  await tool('nx', ['run-many', '-t', 'build', ...projects, '--output-style=static']);
}

/** One bench with servers of its own, in a folder of its own. */
async function runBench(name, { needs, run }) {
  const runDir = join(RUN, name);
  mkdirSync(runDir, { recursive: true });
  if (!needs.infra) return run({ runDir, log: phases.log });
  await phases.run(`${name}: tools`, () => ensureTools(['postgres', 'redis', 'kafka', 'java', 'maven'], phases));
  const infra = await phases.run(`${name}: servers`, () =>
    startInfra({ runDir: join(runDir, 'infra'), durable: true, log: phases.log }),
  );
  const cleanUps = [];
  const stop = async () => {
    for (const cleanUp of cleanUps.reverse()) await cleanUp();
    await infra.stop();
  };
  const release = stopOnSignals({ stop }, { log: phases.log });
  try {
    return await run({ runDir, infra, log: phases.log, onStop: (cleanUp) => cleanUps.push(cleanUp) });
  } finally {
    release();
    await phases.run(`${name}: stop`, stop);
  }
}

/** Throws when a result is not what docs/contracts/bench.schema.json promises. */
async function checkContract(document) {
  const { default: Ajv2020 } = await import('ajv/dist/2020.js');
  const schema = JSON.parse(readFileSync(join(ROOT, 'docs/contracts/bench.schema.json'), 'utf8'));
  const ajv = new Ajv2020({ strictTypes: false, strictRequired: false });
  if (!ajv.validate(schema, document)) throw new Error(`the result breaks its contract: ${ajv.errorsText()}`);
}

function print({ bench, measures }) {
  for (const { id, value, unit, peer, peer_value, ratio, goal, met } of measures) {
    const against = peer === null ? '' : `, ${peer} ${peer_value}: ${ratio} times`;
    const verdict = goal === null ? '' : ` (goal: ${goal.on} ${goal.op} ${goal.number}: ${met ? 'met' : 'NOT MET'})`;
    phases.log(`${bench}  ${id}: ${value} ${unit}${against}${verdict}`);
  }
}

async function main() {
  const names = chosen();
  await phases.run('install', install);
  const benches = await Promise.all(names.map((name) => import(`../../bench/harness/${name}.mjs`)));
  await phases.run('build', () => build(benches));
  const results = [];
  for (const [index, name] of names.entries()) {
    const begin = performance.now();
    const [loadAverage] = loadavg();
    const outcome = await phases.run(name, () => runBench(name, benches[index]));
    const took = (performance.now() - begin) / 1_000;
    writeSection(RESULTS, { ...outcome, date: new Date(), seconds: took, loadAverage });
    results.push(outcome.result);
    print(outcome.result);
  }
  phases.log(`wrote bench/RESULTS.md · total ${seconds(phases.totalMs())}`);
  const document = process.argv.includes('all') ? results : results[0];
  await checkContract(document);
  if (json) process.stdout.write(`${JSON.stringify(document)}\n`);
  process.exitCode = results.every(allMet) ? 0 : 1;
}

main()
  .catch((error) => {
    phases.log(`\n✗ ${error.stack ?? error}`);
    process.exitCode = 1;
  })
  .finally(() => rmSync(RUN, { recursive: true, force: true }));
