import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface Child {
  readonly process: ChildProcess;
  /** Resolves with the exit code. */
  readonly exit: Promise<number | null>;
  /** Resolves when the service says that it is up; rejects when it ends before. */
  readonly ports: Promise<Record<string, number>>;
}

/** Runs test/child.ts in a process of its own. The caller kills it. */
export function startChild(env: Record<string, string>): Child {
  const args = ['--conditions=@daya/source', '-r', join(__dirname, 'ts-hook.cjs'), join(__dirname, 'child.ts')];
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exit = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const ports = new Promise<Record<string, number>>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { ports: found } = JSON.parse(line) as { ports?: Record<string, number> };
      if (found !== undefined) resolve(found);
    });
    void exit.then(() => reject(new Error('the child ended before it was up')));
  });
  ports.catch(() => undefined);
  return { process: child, exit, ports };
}
