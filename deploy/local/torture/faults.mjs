// Breaks the domain on purpose, one fault at a time in a copy of the repository, and demands that a test turns red: first
// the planted ones (planted/), all of which must be killed, then as many mutants that the seed draws, of which 85 % must.
// node deploy/local/torture/faults.mjs [--seed X] [--only id,id] [--part planted|drawn] [--count N] [--no-servers]
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from '../lib/command.mjs';
import { commitHash, option } from './draw.mjs';
import { drawMutants } from './drawn.mjs';
import { applied } from './mutators.mjs';
import { NOT_HERE, planted, PLANTED } from './planted/index.mjs';
import { Scratch } from './scratch.mjs';
import { runTests } from './verdict.mjs';
import { withStack } from './with-stack.mjs';

const DRAWN_SCORE_MIN = 0.85;
const UNIT_MS = 180_000;
const SERVICE_MS = 600_000;

/** Runs a fault's tests until one is red. */
async function judge(scratch, tests, env) {
  let spent = 0;
  for (const test of tests) {
    const options = { env, timeoutMs: test.servers ? SERVICE_MS : UNIT_MS };
    const { outcome, by, seconds } = await runTests(scratch, test, options);
    spent += seconds;
    if (outcome === 'broken') return { killed: false, by: `does not load: ${by}`, seconds: spent, broken: true };
    if (outcome !== 'green') return { killed: true, by, seconds: spent };
  }
  return { killed: false, by: '', seconds: spent };
}

/** Without servers only unit tests judge; faults that no unit test could notice are left out. */
const withoutServers = (list) =>
  list
    .map((fault) => ({ ...fault, tests: fault.tests.filter((test) => !test.servers) }))
    .filter(({ tests }) => tests.length > 0);

/** The tests that will judge must be green on the sources as they are; else they judge nothing. */
async function demandGreen(scratch, faults, env, log) {
  const distinct = new Map(faults.flatMap(({ tests }) => tests).map((test) => [JSON.stringify(test), test]));
  for (const test of distinct.values()) {
    const { outcome, by, seconds } = await runTests(scratch, test, { env, timeoutMs: SERVICE_MS });
    log(`${outcome.padEnd(8)} ${test.project} ${test.files} in ${seconds.toFixed(1)} s`);
    if (outcome !== 'green') throw new Error(`without any fault ${test.project} ${test.files} is ${outcome}: ${by}`);
  }
}

const idOfMutant = ({ file, line, mutator }) => `${file}:${line} ${mutator}`;

async function breakAll(scratch, faults, change, env, log) {
  const rows = [];
  for (const fault of faults) {
    const text = change(scratch.read(fault.file), fault);
    const verdict = await scratch.changed(fault.file, text, () => judge(scratch, fault.tests, env));
    const row = { id: fault.id ?? idOfMutant(fault), ...fault, ...verdict };
    rows.push(row);
    log(
      `${row.killed ? 'killed  ' : 'SURVIVED'} ${row.id.padEnd(34)} ${row.seconds.toFixed(1).padStart(6)} s  ${row.by}`,
    );
    if (!row.killed) log(diffOf(fault));
  }
  return rows;
}

const diffOf = ({ file, line, old, new: replacement }) =>
  [
    `  ${file}${line ? `:${line}` : ''}`,
    ...old.split('\n').map((part) => `  - ${part}`),
    ...replacement.split('\n').map((part) => `  + ${part}`),
  ].join('\n');

/** @returns {Promise<{ passed: number, failed: number, problems: string[] }>} */
export async function faults({
  seed = commitHash(),
  only,
  part,
  count = PLANTED.length,
  servers = true,
  log = (line) => process.stderr.write(`${line}\n`),
} = {}) {
  const chosen = PLANTED.filter(({ id }) => only === undefined || only.includes(id));
  if (chosen.length === 0) throw new Error(`no planted fault is called ${only}`);
  const possible = servers ? (list) => list : withoutServers;
  const planting = part === 'drawn' ? [] : possible(chosen);
  const mutants = drawMutants(only === undefined && part !== 'planted' ? count : 0, seed);
  const [all, drawn] = [mutants.all, possible(mutants.drawn)];
  log(`seed ${seed}: ${planting.length} planted faults, ${drawn.length} of ${all} mutants of the domain`);
  for (const [id, why] of NOT_HERE) log(`not here  ${id.padEnd(34)} ${why}`);
  const scratch = new Scratch('faults');
  try {
    // A fault that has lost its place is found before hours are spent.
    for (const fault of planting) planted(scratch.read(fault.file), fault);
    const needsServers = [...planting, ...drawn].some(({ tests }) => tests.some((test) => test.servers));
    const work = async (env) => {
      await demandGreen(scratch, [...planting, ...drawn], env, log);
      const first = await breakAll(scratch, planting, planted, env, log);
      return report(seed, first, await breakAll(scratch, drawn, applied, env, log), log);
    };
    return needsServers ? await withStack('faults', log, work) : await work(undefined);
  } finally {
    scratch.remove();
  }
}

function report(seed, plantedRows, drawnRows, log) {
  const lived = (rows) => rows.filter(({ killed }) => !killed);
  // A mutant that cannot even be loaded says nothing about the tests.
  const judged = drawnRows.filter(({ broken }) => !broken);
  const score = judged.length === 0 ? 1 : 1 - lived(judged).length / judged.length;
  const problems = lived(plantedRows).map(({ id, promise, by }) => `planted fault ${id} lives (${promise}) ${by}`);
  if (score < DRAWN_SCORE_MIN)
    problems.push(
      `only ${(100 * score).toFixed(1)} % of the drawn mutants were killed:\n${lived(judged).map(diffOf).join('\n')}`,
    );
  mkdirSync(join(ROOT, '.daya/torture'), { recursive: true });
  const kept = { seed, planted: plantedRows, drawn: drawnRows, drawnScore: score, notHere: NOT_HERE };
  writeFileSync(join(ROOT, '.daya/torture/faults.json'), JSON.stringify(kept, null, 2));
  log(
    `planted: ${plantedRows.length - lived(plantedRows).length} of ${plantedRows.length} killed; drawn (seed ${seed}): ` +
      `${judged.length - lived(judged).length} of ${judged.length} killed, ${(100 * score).toFixed(1)} %`,
  );
  const failed = problems.length;
  return {
    passed: plantedRows.length - lived(plantedRows).length + (score >= DRAWN_SCORE_MIN ? 1 : 0),
    failed,
    problems,
  };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { passed, failed, problems } = await faults({
    seed: option('seed'),
    only: option('only')?.split(','),
    part: option('part'),
    count: option('count') && Number(option('count')),
    servers: !process.argv.includes('--no-servers'),
  });
  for (const problem of problems) process.stderr.write(`\n✗ ${problem}\n`);
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  process.exit(failed === 0 ? 0 : 1);
}
