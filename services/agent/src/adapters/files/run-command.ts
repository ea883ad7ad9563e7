import { execFile } from 'node:child_process';

/** Runs a program to its end and returns its output. Throws with its error text on another exit than 0 and on the time limit (milliseconds). */
export function runCommand(command: string, args: readonly string[], timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      command,
      args,
      { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 4 << 20 },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`${command} ${args[0] ?? ''} failed: ${stderr.trim() || error.message}`));
      },
    );
  });
}
