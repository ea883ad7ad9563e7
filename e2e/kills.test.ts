import { randomInt } from 'node:crypto';
import { attachInfra, attachPlatform, report, type Infra, type Platform } from './support/platform';
import { lastingViolations } from './support/auditors';
import { Campaign } from './support/kills/campaign';
import { SERVICES } from './support/kills/load-client';
import { kafkaOutage, postgresRestart } from './support/kills/outages';
import { judge, table, unsettled } from './support/kills/verdict';

const torture = process.env['DAYA_TORTURE'] === '1';
const KILLS = Number(process.env['DAYA_KILLS'] ?? (torture ? 1_000 : SERVICES.length));
/** What one campaign finds broken does not hide what the next would find. */
const KILLS_PER_CAMPAIGN = 100;
/** Services that may be down at the same time. */
const LANES = torture ? 2 : 1;
const KAFKA_DOWN_MS = 30_000;
const MINUTE_MS = 60_000;
const seed = Number(process.env['DAYA_SEED'] ?? randomInt(0x7fff_ffff));
const campaigns = Array.from({ length: Math.ceil(KILLS / KILLS_PER_CAMPAIGN) }, (_, index) => ({
  seed: (seed + index) % 0x7fff_ffff,
  kills: Math.min(KILLS_PER_CAMPAIGN, KILLS - index * KILLS_PER_CAMPAIGN),
  isLast: (index + 1) * KILLS_PER_CAMPAIGN >= KILLS,
}));

let platform: Platform;
let infra: Infra;

beforeAll(async () => {
  platform = attachPlatform();
  infra = await attachInfra();
}, MINUTE_MS);

describe.each(campaigns)('seed $seed', ({ seed: drawn, kills, isLast }) => {
  let campaign: Campaign;

  beforeAll(async () => {
    campaign = await Campaign.open(platform, drawn);
  }, 3 * MINUTE_MS);
  afterAll(() => campaign?.close(), MINUTE_MS);

  test(
    `services are killed under load (${kills} kills): each counts, and everything finishes within 60 s of the heal`,
    async () => {
      await campaign.kill(kills, LANES);
      await campaign.finish();
    },
    kills * 2 * MINUTE_MS,
  );

  if (isLast)
    test(
      'Kafka is stopped under load: everything finishes within 60 s of the heal',
      async () => {
        await campaign.strike((round) => kafkaOutage(infra, campaign.load, { round, downMs: KAFKA_DOWN_MS }));
        await campaign.finish();
      },
      5 * MINUTE_MS,
    );

  if (isLast)
    test(
      'Postgres is restarted under load: everything finishes within 60 s of the heal',
      async () => {
        await campaign.strike((round) => postgresRestart(infra, campaign.load, { round }));
        await campaign.finish();
      },
      5 * MINUTE_MS,
    );

  test(
    'nothing that was acknowledged is lost, nothing is doubled, and the books agree',
    async () => {
      await campaign.load.stop();
      const acknowledged = campaign.acknowledged();
      const verdict = await judge(platform, campaign.customer, campaign.load, acknowledged);
      report('kills', `seed ${drawn}\n${table(campaign.rounds, acknowledged, verdict)}`);
      expect(acknowledged.length).toBeGreaterThanOrEqual(campaign.rounds.length);
      expect(Object.fromEntries(verdict.lost)).toEqual({});
      expect(verdict.doubled).toEqual([]);
      expect(campaign.load.surprises).toEqual([]);
      const jobIds = acknowledged.map(({ jobId }) => jobId);
      expect(await unsettled(campaign.customer, jobIds)).toEqual([]);
      expect(await lastingViolations(platform)).toEqual([]);
    },
    15 * MINUTE_MS,
  );
});
