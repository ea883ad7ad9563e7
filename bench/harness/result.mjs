// The form of every bench's result: docs/contracts/bench.schema.json.
import { cpus, release, totalmem, type } from 'node:os';

/** The middle of the values; the mean of the two in the middle when their number is even. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The smallest value that at least `percent` of the values do not exceed. */
export function percentile(values, percent) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
}

const rounded = (value) => Number(value.toPrecision(6));

const meets = ({ op, number }, value) => (op === '<=' ? value <= number : value >= number);

/**
 * One measure from its rounds.
 * @param {{ id: string, rounds: number[], unit: string, better: 'higher' | 'lower',
 *   peer?: { name: string, rounds: number[] }, goal?: { on: 'value' | 'ratio', op: '<=' | '>=', number: number } }} of
 */
export function measure({ id, rounds, unit, better, peer, goal }) {
  const value = median(rounds);
  const peerValue = peer === undefined ? null : median(peer.rounds);
  const ratio = peerValue === null ? null : value / peerValue;
  return {
    id,
    value: rounded(value),
    spread: rounded(Math.max(...rounds) - Math.min(...rounds)),
    unit,
    better,
    peer: peer?.name ?? null,
    peer_value: peerValue === null ? null : rounded(peerValue),
    ratio: ratio === null ? null : rounded(ratio),
    goal: goal ?? null,
    met: goal === undefined ? null : meets(goal, goal.on === 'ratio' ? ratio : value),
  };
}

/** The result of one bench on this machine. */
export const result = ({ bench, load, rounds, measures }) => ({ bench, machine: machine(), load, rounds, measures });

export function machine() {
  const [first] = cpus();
  const gib = Math.round(totalmem() / 2 ** 30);
  const cores = cpus().length;
  return `${first?.model.trim() ?? 'unknown processor'}, ${cores} cores, ${gib} GiB, ${type()} ${release()}, Node ${process.version}`;
}

/** Every goal of a result is met. */
export const allMet = ({ measures }) => measures.every(({ met }) => met !== false);
