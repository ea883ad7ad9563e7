// Child processes with a deadline; their output is shown live or kept for the error message.
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const KEPT_CHARACTERS = 20_000;

/**
 * Runs a program from the repository root. `show`: its output goes to stderr as it comes; else it is kept and is part of
 * the error. Resolves {code, output}; rejects on a non-zero exit unless `allowFailure`, and always past `timeoutMs`.
 */
export function command(
  program,
  args,
  { env = process.env, cwd = ROOT, show = false, allowFailure = false, timeoutMs = 600_000 } = {},
) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk) => {
      if (show) process.stderr.write(chunk);
      output = (output + chunk.toString()).slice(-KEPT_CHARACTERS);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const name = [program, ...args].join(' ');
      if (late)
        return reject(new Error(`${name} did not end within ${timeoutMs / 1000} s${show ? '' : `:\n${output}`}`));
      if (code === 0 || allowFailure) return resolve({ code: code ?? 1, output });
      reject(new Error(`${name} ended with ${code ?? signal}${show ? '' : `:\n${output}`}`));
    });
  });
}

/** Runs a program of node_modules/.bin. */
export const tool = (name, args, options) =>
  command(process.execPath, [join(ROOT, 'node_modules/.bin', name), ...args], options);
