import { readFileSync } from 'node:fs';
import { Inventory } from '@daya/proto/registry';
import type { FleetOrder, FleetReport } from './fleet-messages';
import { enrolNode } from './node-key';
import { SimulatedAgent } from './simulated-agent';

const ENROLMENTS_AT_ONCE = 4;
const REPORT_MS = 50;
const GPU_MODEL_ID = 'rtx-4090';
const VRAM_MIB = 24_576;

/** A process full of agents: enrols each and keeps its stream open until this process is killed. */
class Fleet {
  private enrolled = 0;
  private settled = 0;
  private offers: [string, number, number][] = [];
  private disturbances: Record<string, number> = {};

  async run({ tokens, enrolmentUrl, caFile, name }: FleetOrder): Promise<void> {
    setInterval(() => this.tell(), REPORT_MS);
    const ca = readFileSync(caFile);
    const queue = [...tokens.entries()];
    const worker = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const [index, token] = next;
        const node = await enrolNode(enrolmentUrl, ca, token);
        this.enrolled += 1;
        void new SimulatedAgent(node, inventoryOf(`${name}-${index}`), this.events).run();
      }
    };
    await Promise.all(Array.from({ length: ENROLMENTS_AT_ONCE }, worker));
  }

  private readonly events = {
    offered: (jobId: string, taskIndex: number, atMs: number): void => void this.offers.push([jobId, taskIndex, atMs]),
    settled: (): void => void (this.settled += 1),
    disturbed: (what: string): void => void (this.disturbances[what] = (this.disturbances[what] ?? 0) + 1),
  };

  private tell(): void {
    const { enrolled, offers, settled, disturbances } = this;
    [this.offers, this.settled, this.disturbances] = [[], 0, {}];
    process.send?.({ enrolled, offers, settled, disturbances } satisfies FleetReport);
  }
}

const inventoryOf = (name: string): Inventory =>
  Inventory.fromPartial({
    gpus: [{ index: 0, uuid: `GPU-EMULATED-${name}`, serial: '', gpuModelId: GPU_MODEL_ID, vramMib: VRAM_MIB }],
    cpuMilli: 16_000,
    memoryMib: 65_536,
    scratchMib: 102_400,
    networkMbps: 1_000,
    driverVersion: 'EMULATED',
    agentVersion: '0.1.0',
    containerDriver: 'runc',
    networkAllowed: false,
  });

process.once('disconnect', () => process.exit(0));
process.once('message', (order) => {
  new Fleet().run(order as FleetOrder).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    process.exit(1);
  });
});
