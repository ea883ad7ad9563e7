import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AUDITORS, violations } from './support/auditors';
import { DatabaseCopies } from './support/database-copies';
import {
  freshRegion,
  openDemand,
  openSupply,
  shellJob,
  submit,
  untilFinished,
  untilSettled,
  workFor,
} from './support/market';
import { attachInfra, attachPlatform, type Platform } from './support/platform';
import { dispatchQueues } from './support/queued-leases';

const HOUR_AGO = new Date(Date.now() - 3_600_000);
const GRACE_SECONDS = 30;
const A_DAY_MS = 86_400_000;

let platform: Platform;
let copies: DatabaseCopies;

beforeAll(async () => {
  platform = attachPlatform();
  const region = freshRegion();
  const [supply, customer] = await Promise.all([openSupply(platform, region, [{}]), openDemand(platform, '10000000')]);
  const jobId = await submit(customer, shellJob(region, workFor(0.1)));
  await untilFinished(customer, jobId);
  await untilSettled(customer, jobId);
  await Promise.all(supply.agents.map((agent) => agent.stop()));
  copies = await DatabaseCopies.make(platform, await attachInfra());
}, 180_000);

afterAll(() => copies?.drop());

test('every auditor that is documented runs after every fault, and no other', () => {
  const documented = readFileSync(join(__dirname, '../docs/auditors.md'), 'utf8').matchAll(/^\| ([A-Z]\d+) /gm);
  const ids = [...documented].map(([, id]) => `audit_${id?.toLowerCase()}`);
  expect(Object.values(AUDITORS).flat().sort()).toEqual(ids.sort());
});

test('S6 reads the queues themselves: a bell for no lease is found while it is there', async () => {
  const leaseId = randomUUID();
  const queues = dispatchQueues(platform);
  const bell = await queues[0]?.add('lease', { leaseIds: [leaseId] }, { delay: A_DAY_MS });
  try {
    expect(await violations(platform, GRACE_SECONDS)).toEqual([
      {
        service: 'scheduler',
        auditor: 'audit_s6',
        rows: [{ subject: leaseId, detail: 'is in Redis and is no lease' }],
      },
    ]);
  } finally {
    await bell?.remove();
    await Promise.all(queues.map((queue) => queue.close()));
  }
  expect(await violations(platform, GRACE_SECONDS)).toEqual([]);
});

describe('the auditors that join services, on copies of what really happened', () => {
  test('find nothing, and do see events, handlings, windows and charges', async () => {
    for (const auditor of AUDITORS['audit'] ?? []) expect(await copies.found(auditor, GRACE_SECONDS)).toEqual([]);
    for (const seen of [
      'all_outbox',
      'all_inbox',
      'metering.usage_window',
      'billing.usage_window',
      'billing.usage_charge',
    ])
      expect(await copies.ask(`SELECT 1 FROM ${seen} LIMIT 1`)).toHaveLength(1);
  });

  const event = (more: object) => ({
    position: 1,
    event_id: randomUUID(),
    key: randomUUID(),
    create_time: HOUR_AGO,
    ...more,
  });

  test('E1 finds an event that never reached one of its consumers, unless it is young or parked with a ticket', async () => {
    const type = 'daya.scheduler.v1.LeaseStarted';
    const lost = event({ topic: 'daya.scheduler.leases', type });
    const { event_id, topic, key } = lost as typeof lost & { topic: string };
    await copies.plant('scheduler', 'outbox', lost);
    await copies.plant('billing', 'inbox', { consumer: 'billing.market', event_id, topic, key });
    await copies.plant('scheduler', 'outbox', event({ topic, type, create_time: new Date() }));
    expect(await copies.found('audit_e1', GRACE_SECONDS)).toEqual([{ consumer: 'metering.market', event_id, type }]);
    await copies.plant('metering', 'parked', { consumer: 'metering.market', event_id, topic, key });
    expect(await copies.found('audit_e1', GRACE_SECONDS)).toEqual([]);
  });

  test('E2 finds usage that two transactions charged, a second invoice, and an event that is there twice', async () => {
    const [usageId, jobId, twice] = [
      randomUUID(),
      randomUUID(),
      event({ topic: 'daya.metering.discrepancies', type: 'x' }),
    ];
    for (let time = 0; time < 2; time += 1) {
      await copies.plant('billing', 'usage_charge', { usage_id: usageId, tx_id: randomUUID() });
      await copies.plant('billing', 'invoice', { invoice_id: randomUUID(), job_id: jobId });
      await copies.plant('metering', 'outbox', twice);
    }
    const found = await copies.found('audit_e2', GRACE_SECONDS);
    expect(found.map(({ what, id, effects }) => [what, id, effects])).toEqual([
      ['usage', usageId, '2'],
      ['invoice', jobId, '2'],
      ['event', twice.event_id, '2'],
    ]);
  });

  test('E3 finds a version that a consumer skipped', async () => {
    const consumer = 'metering.market';
    const of = { topic: 'daya.registry.nodes', key: randomUUID() };
    const versions = [1, 2, 3].map((version) =>
      event({ ...of, type: 'daya.registry.v1.NodeCertified', create_time: new Date(), aggregate_version: version }),
    );
    for (const version of versions) await copies.plant('registry', 'outbox', version);
    const handle = (version: number) =>
      copies.plant('metering', 'inbox', {
        ...{ ...of, consumer, event_id: versions[version - 1]?.event_id, aggregate_version: version },
      });
    await handle(1);
    expect(await copies.found('audit_e3', GRACE_SECONDS)).toEqual([]);
    await handle(3);
    expect(await copies.found('audit_e3', GRACE_SECONDS)).toEqual([{ ...of, consumer, version: '2' }]);
  });

  test('U5 finds a window that never reached billing, and a charge of none', async () => {
    const [unbilled, unmeasured] = [randomUUID(), randomUUID()];
    await copies.plant('metering', 'usage_window', { usage_id: unbilled, record_time: HOUR_AGO });
    await copies.plant('metering', 'usage_window', { usage_id: randomUUID(), record_time: new Date() });
    await copies.plant('billing', 'usage_charge', { usage_id: unmeasured, tx_id: randomUUID() });
    const found = await copies.found('audit_u5', GRACE_SECONDS);
    expect(found).toContainEqual({ usage_id: unbilled, what: 'never reached billing' });
    expect(found).toContainEqual({ usage_id: unmeasured, what: 'charged but never recorded' });
  });
});
