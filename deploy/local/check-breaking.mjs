// Refuses a change of the protos that breaks callers: buf breaking (WIRE_JSON) against the merge base with main;
// on main itself against the last tag. Without either there is no baseline yet, and it says so.
import { command, tool } from './lib/command.mjs';

const git = async (...args) => {
  const { code, output } = await command('git', args, { allowFailure: true });
  return code === 0 ? output.trim() : undefined;
};

const head = await git('rev-parse', 'HEAD');
const base = await git('merge-base', 'HEAD', 'origin/main');
const baseline = base !== undefined && base !== head ? base : await git('describe', '--tags', '--abbrev=0');
if (baseline === undefined) {
  process.stderr.write('buf breaking: no baseline yet (no tag, and no commits since main)\n');
} else if ((await git('cat-file', '-e', `${baseline}:buf.yaml`)) === undefined) {
  process.stderr.write(`buf breaking: no baseline yet (${baseline} has no protos)\n`);
} else {
  await tool('buf', ['breaking', '--against', `.git#ref=${baseline}`], { show: true });
}
