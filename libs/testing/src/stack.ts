import { readFileSync } from 'node:fs';

/** Where the servers of this test run are; `npm test` starts them and writes the file. */
export interface TestStack {
  readonly postgres: { readonly host: string; readonly port: number; readonly user: string; readonly password: string };
  readonly redis: { readonly url: string };
  readonly kafka: { readonly brokers: string };
}

interface StackFile extends Omit<TestStack, 'kafka'> {
  readonly kafka: { readonly brokers: string | readonly string[] };
}

/** Reads the file that DAYA_TEST_STACK names. Throws when there is none: a missing server is a failure, never a skip. */
export function testStack(): TestStack {
  const path = process.env['DAYA_TEST_STACK'];
  if (path === undefined || path === '')
    throw new Error('DAYA_TEST_STACK names no file: run the tests by `npm test`, which starts the servers');
  const stack = JSON.parse(readFileSync(path, 'utf8')) as StackFile;
  return { ...stack, kafka: { brokers: [stack.kafka.brokers].flat().join(',') } };
}

export function adminUrl({ postgres }: TestStack): string {
  const { user, password, host, port } = postgres;
  return `postgres://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${host}:${port}/postgres`;
}
