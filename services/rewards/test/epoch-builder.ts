import type { Predecessor, ClosedEpoch } from '../src/domain/close-epoch';
import { closeEpoch } from '../src/domain/close-epoch';
import type { ChargeFact, DeviceFact, EpochInputs } from '../src/domain/epoch-inputs';
import type { Parameters } from '../src/domain/parameters';
import type { EpochFiles } from '../src/domain/verify-epoch';

export const someParameters = (over: Partial<Parameters> = {}): Parameters => ({
  chainId: 31_337n,
  distributor: `0x${'d'.repeat(40)}`,
  genesisTime: 1_767_225_600n,
  epochSeconds: 10n,
  graceSeconds: 2n,
  priceHiMicros: 250_000n,
  stakePerMscu: 0n,
  floorLicences: 0n,
  lambdaBps: 9_000n,
  baseline: { startMscu: 100_000n, doublingEpochs: 0n, maxMscu: 100_000n },
  warmUpEpochs: 0n,
  fullRampEpochs: 0n,
  subsidies: [
    { gpuClass: 'h100-80-sxm', microsPerScuHour: 150_000n },
    { gpuClass: 'rtx-4090', microsPerScuHour: 60_000n },
  ],
  ...over,
});

export const aDeviceFact = (over: Partial<DeviceFact> = {}): DeviceFact => ({
  device: 'node-1/rtx-4090',
  account: 'provider-1',
  declaredAddress: '',
  gpuClass: 'rtx-4090',
  region: 'eu-central',
  gpuCount: 2n,
  mscuPerGpu: 1_000n,
  checks: '111111111111',
  ineligibleReason: '',
  ...over,
});

export const aChargeFact = (over: Partial<ChargeFact> = {}): ChargeFact => ({
  charge: 'charge-1',
  job: 'job-1',
  account: 'provider-1',
  declaredAddress: '',
  device: 'node-1/rtx-4090',
  moneyAsset: 'USD',
  feeMicros: 1_000n,
  billableMs: 5_000n,
  gpuMilli: 1_000n,
  late: false,
  ...over,
});

export const someInputs = (over: Partial<EpochInputs> = {}): EpochInputs => ({
  epoch: 100n,
  asset: 'DAYA_TEST',
  devices: [
    aDeviceFact(),
    aDeviceFact({ device: 'node-2/h100-80-sxm', account: 'provider-2', gpuClass: 'h100-80-sxm', mscuPerGpu: 3_000n }),
  ],
  charges: [aChargeFact()],
  ...over,
});

export const filesOf = (closed: ClosedEpoch): EpochFiles =>
  new Map([...closed.files, closed.manifest].map(({ name, text }) => [name, text]));

export const after = (closed: ClosedEpoch): Predecessor => ({
  state: closed.closing,
  manifestSha256: closed.manifest.sha256,
});

/** A chain of epochs over the same facts. */
export function aChain(
  length: number,
  parameters: Parameters = someParameters(),
  firstEpoch = 100n,
): readonly ClosedEpoch[] {
  const chain: ClosedEpoch[] = [];
  for (let index = 0; index < length; index++) {
    const before = chain[index - 1];
    const charge = aChargeFact({ charge: `charge-${index}` });
    chain.push(
      closeEpoch(
        parameters,
        someInputs({ epoch: firstEpoch + BigInt(index), charges: [charge] }),
        before && after(before),
      ),
    );
  }
  return chain;
}
