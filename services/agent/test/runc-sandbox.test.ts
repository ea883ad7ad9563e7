import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { RunHandle } from '../src/application/ports';
import { until } from './support/agent-home';
import { busyboxEntries, putImage } from './support/oci-image';
import { collectLog, Sandbox } from './support/sandbox';
import { LIMITS } from './support/sandbox-limits';

// Seconds where the machine is free; the limit is for one that is not.
jest.setTimeout(120_000);

describe('a task in runc', () => {
  let sandbox: Sandbox;
  let busybox: string;

  beforeAll(() => {
    sandbox = new Sandbox();
    busybox = putImage(sandbox.blobs, busyboxEntries(), {
      Env: ['FROM_IMAGE=yes', 'BOTH=image'],
      Entrypoint: ['sh'],
      Cmd: ['-c', 'echo default'],
    });
  });

  afterEach(() => {
    expect(sandbox.processesLeft()).toEqual([]);
    expect(sandbox.mountsLeft()).toEqual([]);
    expect(readdirSync(`${sandbox.folder}/sandbox/runs`)).toEqual([]);
    expect(readdirSync(`${sandbox.folder}/sandbox/runc`)).toEqual([]);
  });
  afterAll(() => sandbox.remove());

  const shell = (script: string, limits: Partial<typeof LIMITS> = {}): ReturnType<Sandbox['run']> =>
    sandbox.run(busybox, ['sh', '-c', script], { limits: { ...LIMITS, ...limits } });
  const startShell = (script: string): Promise<RunHandle> => sandbox.start(busybox, ['sh', '-c', script]);

  describe('ordinary', () => {
    it('ends with its own exit code and its output', async () => {
      const { exit, log } = await shell('echo out; echo err >&2; echo more > /dev/stderr; exit 7');
      expect(exit).toMatchObject({ reason: 'EXITED', exitCode: 7, oomKills: 0, logCut: false, logBytes: 13 });
      // runc copies stdout and stderr side by side, so only the order within each is the program's.
      expect(log.split('\n').sort()).toEqual(['', 'err', 'more', 'out']);
      expect(log.indexOf('err')).toBeLessThan(log.indexOf('more'));
      expect(exit.endedAtMs).toBeGreaterThan(exit.startedAtMs ?? Infinity);
    });

    it('runs the command of the image when the job names none, in /scratch, with both environments', async () => {
      const byImage = await sandbox.run(busybox, []);
      expect(byImage.log).toBe('default\n');
      const { log } = await sandbox.run(busybox, ['sh', '-c', 'pwd; echo $FROM_IMAGE $BOTH $MINE'], {
        env: { BOTH: 'job', MINE: 'a=b' },
      });
      expect(log).toBe('/scratch\nyes job a=b\n');
    });

    it('counts the processor time of all its processes', async () => {
      const { exit } = await shell('i=0; (while [ $i -lt 60000 ]; do i=$((i+1)); done)');
      expect(exit.cpuMs).toBeGreaterThan(10);
    });

    it('reads its inputs and cannot write them', async () => {
      const data = sandbox.blobs.put(Buffer.from('frame zero'));
      const input = { digest: data.digest };
      const { log } = await sandbox.run(
        busybox,
        ['sh', '-c', 'cat /inputs/tasks/0/a.txt /inputs/data/b.txt; echo x > /inputs/tasks/0/a.txt; touch /inputs/new'],
        {
          inputs: [
            { ...input, path: 'tasks/0/a.txt' },
            { ...input, path: 'data/b.txt' },
          ],
        },
      );
      expect(log).toContain('frame zeroframe zero');
      expect(log.match(/Read-only file system/g)).toHaveLength(2);
    });

    it('leaves artifacts: plain files only, links never followed', async () => {
      const handle = await startShell(
        'mkdir -p out/sub; printf hello > out/sub/a.txt; ln -s /etc/passwd out/link; ln -s / out/root; mkfifo out/pipe; printf x > out/b',
      );
      expect((await handle.exited).reason).toBe('EXITED');
      const { artifacts, skipped } = await handle.collect('/scratch/out', { maxFiles: 10, maxBytes: 100 });
      expect(artifacts.map(({ path, sizeBytes, digest }) => ({ path, sizeBytes, digest }))).toEqual([
        { path: 'b', sizeBytes: 1, digest: 'sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881' },
        {
          path: 'sub/a.txt',
          sizeBytes: 5,
          digest: 'sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
        },
      ]);
      expect(skipped.map((entry) => entry.path)).toEqual(['link', 'pipe', 'root']);
      await expect(handle.collect('/scratch/out/link', { maxFiles: 10, maxBytes: 100 })).rejects.toThrow(
        'not a plain folder',
      );
      await expect(handle.collect('/scratch/out/root/etc', { maxFiles: 10, maxBytes: 100 })).rejects.toThrow(
        'not a plain folder',
      );
      await expect(handle.collect('/etc', { maxFiles: 10, maxBytes: 100 })).rejects.toThrow('not below /scratch');
      await expect(handle.collect('/scratch/../etc', { maxFiles: 10, maxBytes: 100 })).rejects.toThrow(
        'not below /scratch',
      );
      await expect(handle.collect('/scratch/out', { maxFiles: 2, maxBytes: 100 })).rejects.toThrow('more than 2 files');
      await expect(handle.collect('/scratch/out', { maxFiles: 10, maxBytes: 5 })).rejects.toThrow('more than 5 bytes');
      await handle.dispose();
    });
  });

  describe('abusive', () => {
    it('fork bomb', async () => {
      const { exit } = await shell('bomb() { bomb | bomb & }; bomb; while :; do :; done', { maxWallMs: 1_000 });
      expect(exit).toMatchObject({ reason: 'DEADLINE', exitCode: 137 });
    });

    it('log flood: never blocked, the first bytes kept, the cut marked', async () => {
      const { exit, log } = await shell('yes', { maxWallMs: 800 });
      expect(exit).toMatchObject({ reason: 'DEADLINE', logCut: true, logBytes: LIMITS.logBytes });
      expect(log.slice(0, 4)).toBe('y\ny\n');
      expect(log).toContain(`[log cut after ${LIMITS.logBytes} bytes]`);
      expect(log.length).toBeLessThan(LIMITS.logBytes + 100);
    });

    it('memory hog', async () => {
      const { exit } = await shell('exec tail /dev/zero');
      expect(exit).toMatchObject({ reason: 'OOM', exitCode: 137 });
      expect(exit.oomKills).toBeGreaterThan(0);
    });

    it('a child that is killed for memory is named although the parent exits with 0', async () => {
      const { exit } = await shell('(tail /dev/zero); exit 0');
      expect(exit).toMatchObject({ reason: 'OOM_CHILD', exitCode: 0 });
    });

    it('disk filler, by bytes and by inodes', async () => {
      expect((await shell('cat /dev/zero > /scratch/fill')).exit).toMatchObject({ reason: 'DISK_FULL', exitCode: 1 });
      expect((await shell('cat /dev/zero > /tmp/fill')).exit).toMatchObject({ reason: 'DISK_FULL', exitCode: 1 });
      expect(
        (await shell('i=0; while : > /scratch/$i; do i=$((i+1)); done; exit 3', { scratchInodes: 64 })).exit.reason,
      ).toBe('DISK_FULL');
    });

    it('endless loop', async () => {
      const { exit } = await shell('while :; do :; done', { maxWallMs: 500 });
      expect(exit.reason).toBe('DEADLINE');
      expect(exit.endedAtMs - (exit.startedAtMs ?? 0)).toBeLessThan(2_500);
    });

    it('ignored SIGTERM: a cancel still ends it', async () => {
      const handle = await startShell("trap '' TERM INT HUP; while :; do sleep 1; done");
      await handle.started;
      handle.kill('CANCELLED');
      expect(await handle.exited).toMatchObject({ reason: 'CANCELLED', exitCode: 137 });
      await handle.dispose();
    });

    it('zombies and daemonised children go with the task', async () => {
      expect(
        (await shell('i=0; while [ $i -lt 20 ]; do (sleep 100 &); sh -c "exit 1" & i=$((i+1)); done; exit 0')).exit,
      ).toMatchObject({ reason: 'EXITED', exitCode: 0 });
    });
  });

  describe('locked in', () => {
    it('is nobody, without capabilities or new privileges, under seccomp', async () => {
      const { log } = await shell('id -u; grep -E "^(CapEff|CapBnd|NoNewPrivs|Seccomp):" /proc/self/status');
      expect(log.replace(/\s+/g, ' ')).toBe(
        '65534 CapEff: 0000000000000000 CapBnd: 0000000000000000 NoNewPrivs: 1 Seccomp: 2 ',
      );
    });

    it('cannot write the root, sees no network but its own loopback, no host processes', async () => {
      const { log } = await shell(
        'touch /etc/x; touch /bin/x; cat /proc/net/dev | grep -c :; nc -w 1 169.254.169.254 80; nc -w 1 10.0.0.1 80; ls -d /proc/[0-9]* | grep -c .; cat /proc/kcore; echo b > /proc/sysrq-trigger',
      );
      expect(log.match(/Read-only file system/g)?.length).toBeGreaterThanOrEqual(2);
      expect(log.match(/Network is unreachable/g)).toHaveLength(2);
      expect(log).toContain('\n1\n');
      expect(log).not.toMatch(/tunl|eth0/);
    });

    it('cannot leave its mapped user: files that it makes belong to an unprivileged host user', async () => {
      const handle = await startShell('touch mine; sleep 5');
      await handle.started;
      const [pid = ''] = sandbox.processesLeft();
      expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/^Uid:\s+165534\s+165534\s+165534\s+165534$/m);
      handle.kill('CANCELLED');
      await handle.dispose();
    });
  });

  describe('ends in any case', () => {
    it('at the fence, which a renewal moves', async () => {
      const handle = await startShell('sleep 100');
      await handle.started;
      handle.armFence(sandbox.clock.nowMs() + 2_000);
      const fenceAtMs = sandbox.clock.nowMs() + 3_000;
      handle.armFence(fenceAtMs);
      const exit = await handle.exited;
      expect(exit.reason).toBe('FENCED');
      expect(exit.endedAtMs).toBeGreaterThanOrEqual(fenceAtMs);
      expect(exit.endedAtMs).toBeLessThan(fenceAtMs + 1_000);
      await handle.dispose();
    });

    it('when its keeper is killed', async () => {
      const handle = await startShell('sleep 100');
      await handle.started;
      process.kill(keeperPid(sandbox), 'SIGKILL');
      expect(await handle.exited).toMatchObject({ reason: 'NODE_LOST', exitCode: null });
      expect(sandbox.processesLeft()).toEqual([]);
      await handle.dispose();
    });

    it('when its keeper is stopped and the deadline passes', async () => {
      const handle = await sandbox.start(busybox, ['sleep', '100'], { limits: { ...LIMITS, maxWallMs: 400 } });
      await handle.started;
      const keeper = keeperPid(sandbox);
      process.kill(keeper, 'SIGSTOP');
      await until(() => sandbox.processesLeft().length === 0);
      expect(sandbox.processesLeft()).toEqual([]);
      process.kill(keeper, 'SIGCONT');
      expect((await handle.exited).reason).toBe('DEADLINE');
      await handle.dispose();
    });

    it('when the agent is killed, and when agent and keeper are killed together; the next life wipes what is left', async () => {
      await sandbox.driver.prepareImage(busybox, sandbox.blobs);
      const chunks: Uint8Array[] = [];
      for await (const chunk of sandbox.blobs.fetch({ digest: busybox })) chunks.push(chunk);
      const manifest = Buffer.concat(chunks).toString('base64');
      const bundle = sandbox.bundle('doomed.js', "require('./doomed-agent').runDoomedAgent(...process.argv.slice(2))");
      const doomed = async (): Promise<number> => {
        const agent = spawn(process.execPath, [bundle, sandbox.folder, sandbox.nodeName, manifest], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        await new Promise((resolve) => agent.stdout.once('data', resolve));
        expect(sandbox.processesLeft()).toHaveLength(1);
        return agent.pid ?? 0;
      };
      process.kill(await doomed(), 'SIGKILL');
      await until(() => sandbox.mountsLeft().length === 0);
      expect(sandbox.processesLeft()).toEqual([]);

      const agent = await doomed();
      process.kill(keeperPid(sandbox), 'SIGSTOP');
      const keeper = keeperPid(sandbox);
      process.kill(agent, 'SIGKILL');
      process.kill(keeper, 'SIGKILL');
      await until(() => sandbox.processesLeft().length === 0);
      expect(sandbox.processesLeft()).toEqual([]);
      await until(() => sandbox.mountsLeft().length === 0);
      expect(await sandbox.newDriver().sweep()).toHaveLength(1);
    });
  });

  it('speaks while it runs', async () => {
    const handle = await startShell('echo first; sleep 100');
    const log = collectLog(handle);
    await until(() => log() !== '');
    expect(log()).toBe('first\n');
    handle.kill('CANCELLED');
    await handle.dispose();
  });
});

function keeperPid(sandbox: Sandbox): number {
  const bundle = `${sandbox.folder}/agent.js`;
  const pid = readdirSync('/proc').find((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(bundle);
    } catch {
      return false;
    }
  });
  if (pid === undefined) throw new Error('no keeper is running');
  return Number(pid);
}
