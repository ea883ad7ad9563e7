import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attachInfra, attachPlatform, type Infra, type Platform } from './support/platform';
import { violations } from './support/auditors';
import { freshRegion, openDemand, openSupply, type Party, type Supply } from './support/market';
import { AcknowledgedList } from './support/kills/acknowledged-list';
import { LoadClient, SERVICES } from './support/kills/load-client';
import { kafkaOutage, postgresRestart } from './support/kills/outages';
import { counts, killRound, type Round } from './support/kills/rounds';
import { seeded } from './support/kills/random';
import { judge, table, unsettled } from './support/kills/verdict';

const torture = process.env['DAYA_TORTURE'] === '1';
const KILLS = torture ? 1_000 : SERVICES.length;
/** A round that does not count is done again, with another seed, at most this often. */
const AGAIN_MAX = 3;
const MINUTE_MS = 60_000;
const seed = Number(process.env['DAYA_SEED'] ?? randomInt(0x7fff_ffff));

let platform: Platform;
let infra: Infra;
let customer: Party;
let supply: Supply;
let load: LoadClient;
let list: AcknowledgedList;
const folder = mkdtempSync(join(tmpdir(), 'daya-acknowledged-'));
const rounds: Round[] = [];

beforeAll(async () => {
  platform = attachPlatform();
  infra = await attachInfra();
  const region = freshRegion();
  [customer, supply] = await Promise.all([
    openDemand(platform, '1000000000'),
    openSupply(platform, region, [{ gpus: 2 }, { gpus: 2 }]),
  ]);
  list = new AcknowledgedList(join(folder, 'acknowledged.jsonl'));
  load = new LoadClient(platform, customer, region, list, seeded(seed));
  load.start();
}, 3 * MINUTE_MS);

afterAll(async () => {
  await load?.stop();
  await Promise.all((supply?.agents ?? []).map((agent) => agent.stop()));
  list?.close();
  rmSync(folder, { recursive: true, force: true });
}, MINUTE_MS);

test(
  `every service is killed under load (${KILLS} kills): each counts, and everything finishes within 60 s of the heal`,
  async () => {
    const draw = seeded(seed);
    for (let kill = 0; kill < KILLS; kill += 1) {
      const service = SERVICES[kill % SERVICES.length];
      if (service === undefined) throw new Error('no service');
      for (let attempt = 0; ; attempt += 1) {
        const round = await killRound(platform, load, service, {
          round: rounds.length + 1,
          seed: Math.floor(draw() * 0x7fff_ffff),
        });
        rounds.push(round);
        if (counts(round)) break;
        if (attempt === AGAIN_MAX) throw new Error(`no round of ${service} counted: ${JSON.stringify(round)}`);
      }
    }
  },
  KILLS * 2 * MINUTE_MS,
);

test(
  'Kafka is stopped under load: everything finishes within 60 s of the heal',
  async () => {
    rounds.push(await kafkaOutage(infra, load, { round: rounds.length + 1, downMs: torture ? 30_000 : 10_000 }));
  },
  5 * MINUTE_MS,
);

test(
  'Postgres is restarted under load: everything finishes within 60 s of the heal',
  async () => {
    rounds.push(await postgresRestart(infra, load, { round: rounds.length + 1 }));
  },
  5 * MINUTE_MS,
);

test(
  'nothing that was acknowledged is lost, nothing is doubled, and the books agree',
  async () => {
    await load.stop();
    const acknowledged = list.read();
    const verdict = await judge(platform, customer, load, acknowledged);
    process.stderr.write(`\nseed ${seed}\n${table(rounds, acknowledged, verdict)}\n`);
    expect(acknowledged.length).toBeGreaterThanOrEqual(rounds.length);
    expect(Object.fromEntries(verdict.lost)).toEqual({});
    expect(verdict.doubled).toEqual([]);
    expect(load.surprises).toEqual([]);
    expect(
      await unsettled(
        customer,
        acknowledged.map(({ jobId }) => jobId),
      ),
    ).toEqual([]);
    expect(await violations(platform, 30)).toEqual([]);
  },
  10 * MINUTE_MS,
);
