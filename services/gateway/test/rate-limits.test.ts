import { GetJobResponse, SchedulerServiceService } from '@daya/proto/scheduler';
import { aKey, ALICE, World } from './support/world';

let world: World;
beforeAll(async () => {
  world = await World.start({
    RATE_KEY_PER_SECOND: '2',
    RATE_KEY_BURST: '5',
    RATE_ADDRESS_PER_SECOND: '1',
    RATE_ADDRESS_BURST: '8',
    TRUSTED_PROXIES: '1',
  });
  world.peers.handle(SchedulerServiceService.getJob, async () => GetJobResponse.fromPartial({}));
});
afterAll(() => world.stop());

const from = (address: string, key: string): Promise<Response> =>
  world.fetch('/v1/jobs/j', { key, headers: { 'x-forwarded-for': `9.9.9.9, ${address}` } });

test('a key’s requests are counted, told and limited, and it recovers', async () => {
  const answers = await Promise.all(Array.from({ length: 8 }, () => from('10.0.0.1', ALICE)));
  const codes = answers.map(({ status }) => status).sort();
  expect(codes.slice(0, 5)).toEqual([200, 200, 200, 200, 200]);
  expect(codes.at(-1)).toBe(429);
  expect(answers[0]!.headers.get('ratelimit-limit')).toBe('5');
  expect(answers[0]!.headers.get('ratelimit-remaining')).toBe('4');
  expect(Number(answers[0]!.headers.get('ratelimit-reset'))).toBeGreaterThan(0);
  const refused = answers.find(({ status }) => status === 429)!;
  expect(refused.headers.get('retry-after')).toBe('1');
  expect(refused.headers.get('ratelimit-remaining')).toBe('0');
  expect(await refused.json()).toMatchObject({ reason: 'RATE_LIMITED', metadata: { retry_after_seconds: '1' } });
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  expect((await from('10.0.0.1', ALICE)).status).toBe(200);
});

test('guessing keys is limited by address; a known key of the same address still works', async () => {
  const good = aKey('good');
  world.keys.set(good, { organisationId: 'org-good' });
  expect((await from('10.0.0.2', good)).status).toBe(200);
  const guesses = [];
  for (let index = 0; index < 12; index += 1) guesses.push((await from('10.0.0.2', aKey(`guess${index}`))).status);
  expect(guesses.filter((code) => code === 401).length).toBeLessThanOrEqual(10);
  expect(guesses.at(-1)).toBe(429);
  const asked = world.authentications;
  expect((await from('10.0.0.2', aKey('guess-more'))).status).toBe(429);
  expect(world.authentications).toBe(asked);
  expect((await from('10.0.0.2', good)).status).toBe(200);
  expect((await from('10.0.0.3', aKey('guess-other'))).status).toBe(401);
});
