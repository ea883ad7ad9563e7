import { createHash } from 'node:crypto';
import { BillingServiceService } from '@daya/proto/billing';
import { DispatchServiceService } from '@daya/proto/dispatch';
import { RewardsServiceService } from '@daya/proto/rewards';
import { JobSpec, JobState, SchedulerServiceService } from '@daya/proto/scheduler';
import { SILENT } from './puppet-agent';
import { Fleet } from './world-fleet';

export { inventoryOf, MODEL, REGION } from './world-fleet';
export { PATIENT } from './world-tenants';

/** An image manifest that nobody runs; its content is all that blobs and permits look at. */
export const MANIFEST = Buffer.from(
  JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', layers: [] }),
);
export const MANIFEST_SHA256 = createHash('sha256').update(MANIFEST).digest('hex');

interface Reward {
  readonly number: bigint;
  readonly asset: string;
  readonly account: string;
}

/** A market in a small: a customer with money, a provider with one node, jobs. Each part is made when first asked for. */
export class World extends Fleet {
  /** The image's manifest, uploaded by the customer. */
  manifest = this.once('manifest', async () => {
    const messages = [{ sha256: MANIFEST_SHA256, chunk: MANIFEST }];
    const stream = (async function* () {
      yield* messages;
    })();
    await this.as('customer', 'dispatch', DispatchServiceService, (client, options) =>
      client.uploadBlob(stream, options),
    );
  });

  /** A request for a job that the puppet runs at once. */
  async spec(labels: Readonly<Record<string, string>> = {}): Promise<JobSpec> {
    await this.node();
    await this.manifest();
    return JobSpec.fromPartial({
      image: { digest: `sha256:${MANIFEST_SHA256}` },
      command: ['true'],
      maxRunSeconds: 60,
      labels: { ...labels },
      requirements: { regions: [this.region], gpuCount: 1, cpuMilli: 500, memoryMib: 64, scratchMib: 16 },
    });
  }

  /** A job that has run, is charged and has its invoice. */
  settledJob = this.once('settled job', async () => {
    const jobId = await this.submit(await this.spec());
    const invoiceId = await this.eventually('the job is invoiced', () =>
      this.as('customer', 'billing', BillingServiceService, async (client, options) => {
        const { invoices } = await client.listInvoices({ pageSize: 1, pageToken: '', jobId }, options);
        return invoices[0]?.invoiceId;
      }),
    );
    return { jobId, invoiceId };
  });

  /** A reward of any job, the settled one if there was none before, and its epoch. */
  reward = this.once('reward', async () => {
    const earlier = await this.anyReward();
    if (earlier !== undefined) return earlier;
    await this.settledJob();
    return this.eventually('an epoch rewards the job', () => this.anyReward());
  });

  private anyReward(): Promise<Reward | undefined> {
    const asset = 'DAYA_TEST';
    return this.as('customer', 'rewards', RewardsServiceService, async (client, options) => {
      const { epochs } = await client.listEpochs({ pageSize: 20, pageToken: '', asset }, options);
      for (const { number } of epochs) {
        const { rewards } = await client.listRewards({ number, asset, pageSize: 200, pageToken: '' }, options);
        const paid = rewards.find(({ amount }) => amount > 0n);
        if (paid !== undefined) return { number, asset, account: paid.account };
      }
      return undefined;
    });
  }

  async epoch(): Promise<{ readonly number: bigint; readonly asset: string }> {
    const { number, asset } = await this.reward();
    return { number, asset };
  }

  /** A lease that the puppet was offered and never answered; its job is cancelled. The node keeps its permit. */
  offeredLease = this.once('offered lease', async () => {
    const jobId = await this.submit(await this.spec(SILENT));
    const offer = await this.eventually('the lease is offered', () =>
      Promise.resolve(this.puppetAgent?.offers.get(jobId)),
    );
    await this.cancel(jobId);
    return { jobId, leaseId: offer.leaseId, leaseToken: offer.leaseToken };
  });

  async submit(spec: JobSpec): Promise<string> {
    const { projectId } = await this.customer();
    // The scheduler may hear of the offer a moment after registry has stored it.
    return this.eventually('the job is submitted', () =>
      this.as('customer', 'scheduler', SchedulerServiceService, async (client, options) => {
        const { job } = await client.submitJob({ requestId: this.requestId(), projectId, quoteId: '', spec }, options);
        return job?.jobId;
      }),
    );
  }

  async cancel(jobId: string): Promise<void> {
    await this.as('customer', 'scheduler', SchedulerServiceService, (client, options) =>
      client.cancelJob({ requestId: this.requestId(), jobId }, options),
    );
  }

  /** Cancels whatever a control has left running. */
  async cancelOpenJobs(): Promise<void> {
    const open = await this.as('customer', 'scheduler', SchedulerServiceService, async (client, options) => {
      const { jobs } = await client.listJobs(
        { pageSize: 200, pageToken: '', projectId: '', state: JobState.UNSPECIFIED },
        options,
      );
      return jobs.filter(({ state }) => [JobState.FUNDING, JobState.QUEUED, JobState.RUNNING].includes(state));
    });
    for (const { jobId } of open) await this.cancel(jobId);
  }
}
