// Draws that a seed decides, the same on every machine; by default the seed is the commit.
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { ROOT } from '../lib/command.mjs';

export const commitHash = () => execFileSync('git', ['rev-parse', 'HEAD'], { cwd: ROOT, encoding: 'utf8' }).trim();

/** `--name value` of the command line; undefined when it is not there. */
export function option(name) {
  const at = process.argv.indexOf(`--${name}`);
  return at === -1 ? undefined : process.argv[at + 1];
}

/** Items in an order that only the seed and their ids decide: an item more or less leaves the others where they are. */
export function shuffled(items, seed, idOf) {
  const keyOf = (item) =>
    createHash('sha256')
      .update(`${seed}\0${idOf(item)}`)
      .digest('hex');
  return items
    .map((item) => ({ item, key: keyOf(item) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ item }) => item);
}

/** `count` of the items, drawn in turn from groups, so that none of them is left out by chance. */
export function drawAcross(items, count, seed, idOf, groupOf) {
  const groups = new Map();
  for (const item of shuffled(items, seed, idOf))
    groups.set(groupOf(item), [...(groups.get(groupOf(item)) ?? []), item]);
  const queues = [...groups.values()];
  const drawn = [];
  while (drawn.length < count && queues.some((queue) => queue.length > 0)) {
    for (const queue of queues) if (queue.length > 0 && drawn.length < count) drawn.push(queue.shift());
  }
  return drawn;
}
