import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PreparedImage, RunExit, RunHandle } from '../src/application/ports';
import { DockerDriver, isDockerUsable } from '../src/adapters/docker/docker-driver';
import { containerRequest } from '../src/adapters/docker/container-request';
import { ProcessAlarms, ProcessClock } from '../src/adapters/files/monotonic-clock';
import { IMAGE_LIMITS } from '../src/domain/oci-manifest';
import { bundle } from './support/bundle';
import { busyboxEntries, MemoryBlobs, putImage } from './support/oci-image';
import { collectLog } from './support/sandbox';
import { LIMITS } from './support/sandbox-limits';

const SOCKET = process.env['AGENT_TEST_DOCKER_SOCKET'];

// Seconds where the machine is free; the limit is for one that is not.
jest.setTimeout(120_000);

describe('the request to a Docker engine', () => {
  const image: PreparedImage = { digest: 'sha256:x', location: 'daya-image:x', env: [], command: ['sh', '-c', 'true'] };
  const spec = {
    runId: 'run',
    image,
    command: [],
    env: { A: 'b' },
    limits: LIMITS,
    network: false,
    inputs: [],
    gpuUuids: [],
  };

  it('locks the task in', () => {
    expect(containerRequest(spec, '/run', {}, 'x64')).toMatchObject({
      User: '65534:65534',
      Entrypoint: ['sh'],
      Cmd: ['-c', 'true'],
      NetworkDisabled: true,
      HostConfig: {
        ReadonlyRootfs: true,
        NetworkMode: 'none',
        CapDrop: ['ALL'],
        PidsLimit: LIMITS.pids,
        SecurityOpt: ['no-new-privileges', expect.stringContaining('SCMP_ARCH_X86_64')],
      },
    });
  });

  it('passes real GPUs by uuid and nothing else', () => {
    expect(containerRequest({ ...spec, gpuUuids: ['GPU-1'] }, '/run', {}, 'x64')).toMatchObject({
      HostConfig: { DeviceRequests: [{ DeviceIDs: ['GPU-1'] }] },
    });
    expect(JSON.stringify(containerRequest(spec, '/run', {}, 'x64'))).not.toContain('DeviceRequests');
  });

  it('an engine is used only where one answers', async () => {
    expect(await isDockerUsable('/nonexistent.sock')).toBe(false);
  });
});

// A Docker engine cannot be had everywhere; where one with userns-remap is named, the same promises are checked on it.
if (SOCKET !== undefined) {
  describe('a task in Docker', () => {
    const blobs = new MemoryBlobs();
    const busybox = putImage(blobs, busyboxEntries(), { Env: ['FROM_IMAGE=yes'], Volumes: { '/data': {} } });
    let folder: string;
    let driver: DockerDriver;

    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'daya-docker-'));
      chmodSync(folder, 0o711);
      const keeper = join(folder, 'agent.js');
      bundle(
        {
          stdin: {
            contents: "require('../../src/start-keeper').startKeeper(process.argv[2])",
            resolveDir: join(__dirname, 'support'),
          },
        },
        keeper,
      );
      const settings = {
        socket: SOCKET,
        folder,
        nodeName: randomUUID(),
        keeperCommand: [process.execPath, keeper],
        backupKillMs: 2_000,
      };
      driver = new DockerDriver(settings, IMAGE_LIMITS, new ProcessClock(), new ProcessAlarms());
    });
    afterEach(async () => {
      expect(readdirSync(join(folder, 'docker-runs'))).toEqual([]);
      expect(await driver.sweep()).toEqual([]);
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    const start = async (script: string, changes: Partial<typeof LIMITS> = {}): Promise<RunHandle> => {
      const image = await driver.prepareImage(busybox, blobs);
      const command = ['sh', '-c', script];
      return driver.start(
        {
          runId: randomUUID(),
          image,
          command,
          env: { MINE: 'x' },
          limits: { ...LIMITS, ...changes },
          network: false,
          inputs: [],
          gpuUuids: [],
        },
        blobs,
      );
    };
    const run = async (
      script: string,
      changes: Partial<typeof LIMITS> = {},
    ): Promise<{ exit: RunExit; log: string }> => {
      const handle = await start(script, changes);
      const log = collectLog(handle);
      const exit = await handle.exited;
      await handle.dispose();
      return { exit, log: log() };
    };

    it('is usable', async () => expect(await isDockerUsable(SOCKET)).toBe(true));

    it('ends with its own exit code and its output', async () => {
      const { exit, log } = await run('echo $FROM_IMAGE $MINE; pwd; id -u; touch /data/x; exit 7');
      expect(exit).toMatchObject({ reason: 'EXITED', exitCode: 7 });
      expect(log).toContain('yes x\n/scratch\n65534\n');
      expect(log).toMatch(/data\/x: (No such file|Read-only)/);
    });

    it('leaves artifacts', async () => {
      const handle = await start('mkdir out; printf hello > out/a');
      expect((await handle.exited).reason).toBe('EXITED');
      expect(
        (await handle.collect('/scratch/out', { maxFiles: 5, maxBytes: 50 })).artifacts.map(
          (artifact) => artifact.path,
        ),
      ).toEqual(['a']);
      await handle.dispose();
    });

    it.each<[string, string, Partial<typeof LIMITS>, string]>([
      ['endless loop', 'while :; do :; done', { maxWallMs: 600 }, 'DEADLINE'],
      ['fork bomb', 'bomb() { bomb | bomb & }; bomb; while :; do :; done', { maxWallMs: 1_000 }, 'DEADLINE'],
      ['memory hog', 'exec tail /dev/zero', {}, 'OOM'],
      ['memory hog in a child', '(tail /dev/zero); sleep 0.5; exit 0', {}, 'OOM_CHILD'],
      ['disk filler', 'cat /dev/zero > /scratch/fill', {}, 'DISK_FULL'],
    ])('%s', async (_name, script, changes, reason) => expect((await run(script, changes)).exit.reason).toBe(reason));

    it('log flood', async () => {
      const { exit, log } = await run('yes', { maxWallMs: 800 });
      expect(exit).toMatchObject({ reason: 'DEADLINE', logCut: true, logBytes: LIMITS.logBytes });
      expect(log).toContain('[log cut after');
    });

    it('a command that is not there', async () => {
      const image = await driver.prepareImage(busybox, blobs);
      const handle = await driver.start(
        {
          runId: randomUUID(),
          image,
          command: ['/none'],
          env: {},
          limits: LIMITS,
          network: false,
          inputs: [],
          gpuUuids: [],
        },
        blobs,
      );
      expect(await handle.exited).toMatchObject({ reason: 'EXITED', exitCode: 127 });
      await handle.dispose();
    });

    it('cancel and fence', async () => {
      const handle = await start("trap '' TERM; sleep 100");
      await handle.started;
      handle.kill('CANCELLED');
      expect((await handle.exited).reason).toBe('CANCELLED');
      await handle.dispose();
      const fenced = await start('sleep 100');
      await fenced.started;
      fenced.armFence(new ProcessClock().nowMs() + 200);
      expect((await fenced.exited).reason).toBe('FENCED');
      await fenced.dispose();
    });
  });
}
