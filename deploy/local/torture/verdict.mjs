// Runs tests against a scratch copy and says whether a test turned red, and which.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { command, ROOT } from '../lib/command.mjs';

const JEST = join(ROOT, 'node_modules/jest/bin/jest.js');
/** A loop that a fault made endless is found out sooner, and spares the machine. */
const MEMORY = { NODE_OPTIONS: '--max-old-space-size=1536' };
const OUT_OF_MEMORY = /JavaScript heap out of memory/;
const REPORTER = join(ROOT, 'deploy/local/torture/reporter.mjs');

/**
 * Runs tests until the first failure. `project`: jest project; `files`: as jest's --testPathPatterns; `servers`: they need
 * a stack.
 * @param {{ project: string, files: string, servers?: boolean }} tests
 * @returns {Promise<{ outcome: 'green' | 'red' | 'hung' | 'broken', by: string, seconds: number,
 *   failures?: { name: string, message: string }[] }>} `hung`: no end in time or memory; `broken`: no test failed, but a
 *   file of tests could not even be loaded; `by` says what failed
 */
export async function runTests(scratch, { project, files, servers = false }, { env = {}, timeoutMs }) {
  const report = join(scratch.root, 'report.jsonl');
  rmSync(report, { force: true });
  const flags = [
    '--ci',
    '--bail',
    '--forceExit',
    `--reporters=${REPORTER}`,
    servers ? '--maxWorkers=2' : '--runInBand',
  ];
  const started = Date.now();
  const result = await command(
    process.execPath,
    [JEST, '--selectProjects', project, '--testPathPatterns', files, ...flags],
    {
      cwd: scratch.root,
      env: { ...scratch.env, ...env, ...MEMORY, DAYA_TORTURE_REPORT: report },
      allowFailure: true,
      timeoutMs,
    },
  ).catch((error) => ({ late: String(error) }));
  const seconds = (Date.now() - started) / 1_000;
  if ('late' in result) return { outcome: 'hung', by: `no end within ${timeoutMs / 1_000} s`, seconds };
  if (OUT_OF_MEMORY.test(result.output)) return { outcome: 'hung', by: 'no end within its memory', seconds };
  if (!existsSync(report)) throw new Error(`jest ran nothing for ${project} ${files}:\n${result.output}`);
  const lines = readFileSync(report, 'utf8').trim().split('\n');
  return {
    ...outcomeOf(
      lines.map((line) => JSON.parse(line)),
      result.code,
      scratch.root,
    ),
    seconds,
  };
}

function outcomeOf(reports, code, root) {
  const name = ({ file }) => file.replace(`${root}/`, '');
  const red = reports.find(({ failures }) => failures.length > 0);
  if (red) return { outcome: 'red', by: `${name(red)} › ${red.failures[0].name}`, failures: red.failures };
  const unloaded = reports.find((report) => report.unloaded !== undefined);
  if (unloaded) return { outcome: 'broken', by: `${name(unloaded)}: ${unloaded.unloaded.slice(0, 400)}` };
  if (code !== 0) throw new Error(`jest ended with ${code} although no test failed`);
  if (reports.every(({ passed }) => passed === 0)) throw new Error('the patterns match no test');
  return { outcome: 'green', by: '' };
}
