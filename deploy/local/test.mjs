// `npm test`: from a clean clone to a verdict. Installs, starts real servers of its own, generates, lints, checks types,
// runs every test, stops everything. `--torture` (`npm run torture`) adds the long doses. The last line is
// `N passed, N failed`.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { command, ROOT, tool } from './lib/command.mjs';
import { install } from './lib/install.mjs';
import { Phases, seconds } from './lib/phases.mjs';
import { ensureTools, startInfra, stopOnSignals } from './infra/index.mjs';
import { demandPlaces } from './torture/planted/index.mjs';

const RUN = join(ROOT, '.daya', `test-${process.pid}`);
const torture = process.argv.includes('--torture');
const E2E_MS = 1_500_000;
/** A thousand kills at five to ten seconds each. */
const TORTURE_E2E_MS = 14_400_000;
const phases = new Phases();
const tally = { passed: 0, failed: 0 };
const problems = [];

/** A step that is no jest test: it counts as one failed when it fails, and the rest goes on. */
async function check(name, work) {
  try {
    await phases.run(name, work);
  } catch (error) {
    tally.failed += 1;
    problems.push(`${name}: ${error.message}`);
  }
}

async function jest(name, args, env, timeoutMs) {
  const report = join(RUN, `${name}.json`);
  const flags = ['--ci', '--json', `--outputFile=${report}`, '--silent=false', ...args];
  const { code } = await tool('jest', flags, {
    env: { ...process.env, ...env },
    show: false,
    allowFailure: true,
    timeoutMs,
  }).then((result) => {
    process.stderr.write(summaryOf(result.output));
    return result;
  });
  const result = JSON.parse(readFileSync(report, 'utf8'));
  process.stderr.write(slowestOf(result));
  tally.passed += result.numPassedTests;
  const broken =
    result.numFailedTests + result.numRuntimeErrorTestSuites + result.numPendingTests + result.numTodoTests;
  tally.failed += broken;
  for (const suite of result.testResults)
    if (suite.status === 'failed') problems.push(`${suite.name.replace(`${ROOT}/`, '')}\n${suite.message}`);
  if (code !== 0 && broken === 0) throw new Error(`jest ended with ${code} although no test failed`);
}

/** Where the minutes go: a budget is kept only by who sees it. */
const slowestOf = ({ testResults }) =>
  testResults
    .map(({ name, startTime, endTime }) => ({ name: name.replace(`${ROOT}/`, ''), ms: endTime - startTime }))
    .sort((one, other) => other.ms - one.ms)
    .slice(0, 12)
    .map(({ name, ms }) => `${seconds(ms).padStart(10)}  ${name}\n`)
    .join('');

const summaryOf = (output) =>
  output
    .split('\n')
    .filter((line) => /^(PASS|FAIL|Tests:|Test Suites:|Time:)/.test(line))
    .join('\n') + '\n';

async function withStack(name, durable, work) {
  const runDir = join(RUN, name);
  mkdirSync(runDir, { recursive: true });
  const infra = await phases.run(`${name} servers`, () => startInfra({ runDir, durable, log: phases.log }));
  stopOnSignals(infra);
  try {
    const stack = join(runDir, 'stack.json');
    const { postgres, redis, kafka } = infra;
    writeFileSync(stack, JSON.stringify({ runDir, postgres, redis, kafka }), { mode: 0o600 });
    await work({ DAYA_TEST_STACK: stack });
  } finally {
    await phases.run(`${name} servers stop`, () => infra.stop());
  }
}

async function main() {
  mkdirSync(RUN, { recursive: true });
  await phases.run('install', install);
  await phases.run('tools', () =>
    ensureTools(['postgres', 'redis', 'kafka', 'java', 'maven', 'sandbox', 'images'], { log: phases.log }),
  );
  await phases.run('generate', () => tool('nx', ['run', '@daya/proto:generate', '--output-style=static']));
  await check('lint', () => tool('nx', ['run-many', '-t', 'lint', '--output-style=static']));
  await check('lint of scripts', () => tool('eslint', ['deploy', 'eslint.config.mjs', 'jest.config.mjs']));
  await check('walls', () => command(process.execPath, ['deploy/local/check-walls.mjs']));
  await check('planted faults have their places', demandPlaces);
  await check('format', () => tool('prettier', ['--check', '--log-level', 'warn', '.']));
  await check('buf breaking', () => command(process.execPath, ['deploy/local/check-breaking.mjs']));
  await check('types', () => tool('tsc', ['-b']));
  await phases.run('build', () => tool('nx', ['run-many', '-t', 'build', 'bundle', '--output-style=static']));
  await check('unit and service tests', () =>
    withStack('service', false, (env) => jest('service', ['--selectProjects', ...projects()], env, 900_000)),
  );
  await check('e2e', e2e);
  if (torture) await testTheTests();
}

/** Would the tests notice? Validations are removed and promises broken, in copies of the sources. */
async function testTheTests() {
  const { validations } = await import('./torture/validations.mjs');
  const { faults } = await import('./torture/faults.mjs');
  await tallied('removed validations', validations);
  await tallied('planted faults', faults);
}

const tallied = (name, work) =>
  check(name, async () => {
    const { passed, failed, problems: found } = await work({ log: phases.log });
    tally.passed += passed;
    tally.failed += failed;
    problems.push(...found);
  });

/** The whole system on a durable stack of its own, with one platform that every e2e file uses in turn. */
async function e2e() {
  const runDir = join(RUN, 'e2e');
  mkdirSync(runDir, { recursive: true });
  const infra = await phases.run('e2e servers', () =>
    startInfra({ runDir: join(runDir, 'infra'), durable: true, log: phases.log }),
  );
  const { startTestPlatform, stopTestPlatform } = await import('./platform/test-platform.mjs');
  stopOnSignals({ stop: () => stopTestPlatform(runDir) });
  try {
    await phases.run('e2e platform', () => startTestPlatform({ runDir, infra, log: phases.log }));
    const env = { DAYA_PLATFORM: runDir, DAYA_TORTURE: torture ? '1' : '' };
    await jest('e2e', ['--selectProjects', 'e2e', '--runInBand'], env, torture ? TORTURE_E2E_MS : E2E_MS);
  } finally {
    printReports(join(runDir, 'reports'));
    await phases.run('e2e stop', () => stopTestPlatform(runDir));
  }
}

/** Tables that a person wants to read: what was killed when, what was asked wrongly and how it was answered. */
function printReports(folder) {
  if (!existsSync(folder)) return;
  if (torture) cpSync(folder, join(ROOT, '.daya/torture'), { recursive: true });
  for (const name of readdirSync(folder).sort())
    process.stderr.write(`\n── ${name.replace('.txt', '')}\n${readFileSync(join(folder, name), 'utf8')}`);
}

/** Logs of a failed run stay where the next failed run replaces them. */
function keepLogs() {
  const kept = join(ROOT, '.daya/failed-test');
  rmSync(kept, { recursive: true, force: true });
  for (const part of ['service', 'e2e']) {
    const logs = join(RUN, part, 'logs');
    if (existsSync(logs)) cpSync(logs, join(kept, part), { recursive: true });
  }
  process.stderr.write(`\nlogs of the services: .daya/failed-test\n`);
}

const projects = () => [
  'kernel',
  'proto',
  'nest',
  'postgres',
  'messaging',
  'pki',
  'testing',
  'registry',
  'scheduler',
  'dispatch',
  'metering',
  'billing',
  'rewards',
  'gateway',
  'agent',
];

try {
  await main();
} catch (error) {
  tally.failed += 1;
  problems.push(error.stack ?? String(error));
}
if (tally.failed > 0) keepLogs();
rmSync(RUN, { recursive: true, force: true, maxRetries: 3 });
for (const problem of problems) process.stderr.write(`\n✗ ${problem}\n`);
process.stderr.write(
  `\n${Object.entries(phases.timingsMs)
    .map(([name, ms]) => `${name} ${seconds(ms)}`)
    .join(' · ')} · total ${seconds(phases.totalMs())}\n`,
);
process.stdout.write(`${tally.passed} passed, ${tally.failed} failed\n`);
process.exitCode = tally.failed === 0 ? 0 : 1;
