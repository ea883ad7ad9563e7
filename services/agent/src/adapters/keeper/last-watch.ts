import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

/**
 * $1 is runc's pid file, $2 the mounted scratch. Lines: the container's pid, then anything when it has ended. The end of the input instead of
 * the second line means that the keeper is gone without a word; before the first, that the engine was still starting.
 */
const SCRIPT = `
if read -r pid; then
  read -r ended && exit 0
else
  for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -s "$1" ] && read -r pid < "$1"
    [ -n "$pid" ] && break
    sleep 0.1
  done
fi
[ -n "$pid" ] && kill -9 "$pid"
umount -l "$2"
`;

/** A shell that does nothing but wait for its keeper's death, for the case that agent and keeper are killed together: then it kills the container and unmounts, and so wipes, its scratch. */
export class LastWatch {
  private readonly shell: ChildProcess;

  constructor(pidFile: string, spaceFolder: string) {
    this.shell = spawn('/bin/sh', ['-c', SCRIPT, 'daya-last-watch', pidFile, spaceFolder], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    this.shell.on('error', () => undefined);
    this.shell.stdin?.on('error', () => undefined);
  }

  started(pid: number): void {
    this.shell.stdin?.write(`${pid}\n`);
  }

  /** The container is gone; its pid may soon be another process's. */
  ended(startedBefore: boolean): void {
    // Without a first line the shell would look for a pid file.
    if (startedBefore) this.shell.stdin?.write('ended\n');
    else this.shell.kill('SIGKILL');
  }
}
