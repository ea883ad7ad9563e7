// The reward epochs that hold charges of the customer's jobs, once all of them are closed.
import { relative, join } from 'node:path';
import { ROOT } from '../lib/command.mjs';

const CLOSE_MS = 90_000;

export async function epochsWith(platform, { customer, operator }) {
  const transfers = await customer.client.list('/v1/transfers', 'transfers');
  const times = transfers
    .filter((transfer) => transfer.kind === 'TRANSFER_KIND_POST')
    .map((transfer) => Date.parse(transfer.createTime));
  const last = Math.max(...times);
  const epochs = await untilClosedPast(operator, last);
  const holding = epochs.filter(({ startTime, endTime }) =>
    times.some((time) => time >= Date.parse(startTime) && time < Date.parse(endTime)),
  );
  return Promise.all(holding.map((epoch) => epochResult(platform, operator, epoch)));
}

async function untilClosedPast(operator, time) {
  const deadline = Date.now() + CLOSE_MS;
  for (;;) {
    const epochs = await operator.list('/v1/epochs?asset=DAYA_TEST', 'epochs');
    if (epochs.some((epoch) => Date.parse(epoch.endTime) > time)) return epochs;
    if (Date.now() > deadline)
      throw new Error(`no reward epoch past ${new Date(time).toISOString()} was closed within ${CLOSE_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

async function epochResult(platform, operator, epoch) {
  const rewards = await operator.list(`/v1/epochs/${epoch.number}/rewards?asset=${epoch.asset}`, 'rewards');
  return {
    number: Number(epoch.number),
    asset: epoch.asset,
    root: epoch.root,
    manifest_path: relative(ROOT, join(platform.env.rewards.PUBLICATION_FOLDER, epoch.manifestPath)),
    rewards: rewards.map(({ account, amount }) => ({ account, amount: String(amount ?? '0') })),
  };
}
