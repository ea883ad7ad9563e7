import { ProcessAlarms, ProcessClock } from '../../src/adapters/files/monotonic-clock';
import { ImageStore } from '../../src/adapters/runc/image-store';
import { RuncDriver } from '../../src/adapters/runc/runc-driver';
import { IMAGE_LIMITS } from '../../src/domain/oci-manifest';
import { MemoryBlobs } from './oci-image';
import { LIMITS } from './sandbox-limits';

/** An agent of its own process that starts one container from an image that is already unpacked, says so, and waits to be killed. */
export async function runDoomedAgent(folder: string, nodeName: string, manifest: string): Promise<void> {
  const settings = {
    folder: `${folder}/sandbox`,
    nodeName,
    keeperCommand: [process.execPath, `${folder}/agent.js`],
    backupKillMs: 2_000,
  };
  const driver = new RuncDriver(
    settings,
    new ImageStore(`${folder}/images`, IMAGE_LIMITS),
    new ProcessClock(),
    new ProcessAlarms(),
  );
  const blobs = new MemoryBlobs();
  const image = await driver.prepareImage(blobs.put(Buffer.from(manifest, 'base64')).digest, blobs);
  const handle = await driver.start(
    {
      runId: `doomed-${process.pid}`,
      image,
      command: ['sleep', '100'],
      env: {},
      limits: { ...LIMITS, maxWallMs: 60_000 },
      network: false,
      inputs: [],
      gpuUuids: [],
    },
    blobs,
  );
  await handle.started;
  process.stdout.write('started\n');
}
