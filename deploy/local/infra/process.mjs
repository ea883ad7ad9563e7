import { execFile, execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 25;

/**
 * Starts a program in a session of its own, so that neither Ctrl-C nor the end of the launcher reaches it.
 * Output is appended to `logFile`. Returns `{ pid, startMark }`, the identity that `isAlive` takes.
 */
export async function spawnDetached({ command, args, cwd, env, uid, gid, logFile }) {
  const log = openSync(logFile, 'a', 0o600);
  try {
    const owner = uid === undefined ? {} : { uid, gid };
    const child = spawn(command, args, {
      cwd,
      env: env ?? process.env,
      ...owner,
      detached: true,
      stdio: ['ignore', log, log],
    });
    await new Promise((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    return { pid: child.pid, startMark: startMark(child.pid) };
  } finally {
    closeSync(log);
  }
}

/** Whether this very process still runs: a reused process number or a zombie does not count. */
export function isAlive(identity) {
  if (!identity?.pid) return false;
  const mark = startMark(identity.pid);
  return mark !== undefined && mark === identity.startMark;
}

/** When the process started, as text that only serves for comparison; undefined when it has ended. */
export function startMark(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return process.platform === 'linux' ? undefined : startMarkByPs(pid);
  }
}

function startMarkByPs(pid) {
  try {
    const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    return line === '' || line.startsWith('Z') ? undefined : line.replace(/^\S+\s+/, '');
  } catch {
    return undefined;
  }
}

/** Sends a signal; a process that has ended meanwhile is no error. */
export function signalProcess(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** Linux: numbers of all processes whose working folder is `folder` (Postgres' backends stand in their data folder). */
export function processesIn(folder) {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => workingFolder(pid) === folder && startMark(pid) !== undefined);
}

function workingFolder(pid) {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined;
  }
}

/** Polls until `check` returns true. Returns false when `deadlineMs` have passed first. */
export async function waitUntil(check, deadlineMs, pollMs = POLL_MS) {
  const end = performance.now() + deadlineMs;
  for (;;) {
    if (await check()) return true;
    if (performance.now() >= end) return false;
    await sleep(pollMs);
  }
}

/** Last lines of a log file, for error messages. */
export function tailOf(logFile, lines = 25) {
  try {
    return readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '(no log)';
  }
}

/** Runs a program to its end; resolves to `{ code, stdout, stderr }` and never rejects. Code 127: not found. 124: too slow. */
export function runProgram(command, args, { timeoutMs = 30_000, ...options } = {}) {
  return new Promise((resolve) => {
    execFile(
      command,
      args,
      { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 1 << 26, ...options },
      (error, stdout, stderr) => {
        if (!error) return resolve({ code: 0, stdout, stderr });
        // EACCES: an entry of PATH that this user may not enter hides that the program is nowhere.
        const notFound = error.code === 'ENOENT' || error.code === 'EACCES';
        const code = notFound ? 127 : error.killed ? 124 : typeof error.code === 'number' ? error.code : 1;
        return resolve({ code, stdout, stderr: stderr || error.message });
      },
    );
  });
}

/** Runs a program and throws with the tail of its output when it fails. */
export async function mustRun(what, command, args, options) {
  const result = await runProgram(command, args, options);
  if (result.code === 0) return result;
  const output = `${result.stdout}\n${result.stderr}`.trim().split('\n').slice(-25).join('\n');
  throw new Error(`${what} failed with code ${result.code}: ${command} ${args.join(' ')}\n${output}`);
}
