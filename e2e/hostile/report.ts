import { status } from '@grpc/grpc-js';
import type { Answer } from './fire';
import type { Mutation } from './mutations';

export interface Result {
  readonly mutation: Mutation;
  readonly answer: Answer;
}

const nameOf = (code: number): string => status[code] ?? String(code);

/** Why an answer is not what the request deserved; undefined when it is. */
export function verdict({ mutation, answer }: Result): string | undefined {
  const { codes, fields, every = [] } = mutation;
  const said = `${nameOf(answer.code)} ${answer.reason} [${answer.fields.join(', ')}] ${answer.message}`;
  if (!codes.includes(answer.code)) return `expected ${codes.map(nameOf).join(' or ')}, got ${said}`;
  const unnamed = every.filter((field) => !answer.fields.includes(field));
  if (unnamed.length > 0)
    return `expected all of ${every.join(', ')} to be named, not without ${unnamed.join(', ')}; got ${said}`;
  if (fields.length === 0 || fields.some((field) => answer.fields.includes(field))) return undefined;
  return `expected ${fields.join(' or ')} to be named, got ${said}`;
}

/** Rows: RPC and mutation; what was answered, with counts. */
export function table(results: readonly Result[]): string {
  const counts = new Map<string, Map<string, number>>();
  for (const { mutation, answer } of results) {
    const row = `${mutation.rpc.replace('/daya.', '').padEnd(58)} ${mutation.kind.padEnd(18)}`;
    const cells = counts.get(row) ?? new Map<string, number>();
    cells.set(nameOf(answer.code), (cells.get(nameOf(answer.code)) ?? 0) + 1);
    counts.set(row, cells);
  }
  const lines = [...counts.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
  return lines
    .map(([row, cells]) => `${row} ${[...cells].map(([code, count]) => `${code} ${count}`).join(', ')}`)
    .join('\n');
}

/** Totals by mutation and by status, and how many expected one status and one field. */
export function summary(results: readonly Result[]): string {
  const count = (key: (result: Result) => string): string => {
    const sums = new Map<string, number>();
    for (const result of results) sums.set(key(result), (sums.get(key(result)) ?? 0) + 1);
    return [...sums]
      .sort(([, a], [, b]) => b - a)
      .map(([name, sum]) => `${name} ${sum}`)
      .join(', ');
  };
  return [
    `${results.length} hostile requests to ${new Set(results.map(({ mutation }) => mutation.rpc)).size} RPCs`,
    `by mutation: ${count(({ mutation }) => mutation.kind)}`,
    `by status: ${count(({ answer }) => nameOf(answer.code))}`,
    `exactly one status and the field's name expected: ${(100 * exactShare(results.map(({ mutation }) => mutation))).toFixed(1)} %`,
  ].join('\n');
}

/** The share of mutations that expect exactly one status and a field's name. */
export function exactShare(mutations: readonly Mutation[]): number {
  const exact = mutations.filter(({ codes, fields }) => codes.length === 1 && fields.length > 0);
  return exact.length / mutations.length;
}
