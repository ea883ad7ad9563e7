import { status } from '@grpc/grpc-js';
import { setTimeout as sleep } from 'node:timers/promises';
import { differences, takeCensus, type Census } from './hostile/census';
import { CONTROLS } from './hostile/controls';
import { crashed, readPlatform } from './hostile/platform';
import { exactShare, summary, table, verdict, type Result } from './hostile/report';
import { Attack, type Target } from './hostile/run';
import { World } from './hostile/world';

/** Moves while nobody asks anything, with the reason. */
const MOVES_BY_ITSELF: readonly RegExp[] = [];
const QUIET_MS = 1_500;
const REQUESTS_MIN = 6_000;
const EXACT_SHARE_MIN = 0.9;

const platform = readPlatform();
const world = new World(platform);
const attack = new Attack(world);

afterAll(() => world.close());

const moved = (before: Census, after: Census): string[] =>
  differences(before, after).filter((line) => !MOVES_BY_ITSELF.some((pattern) => pattern.test(line)));

/** The census of a platform that has finished what the controls began. */
async function quietCensus(): Promise<Census> {
  const giveUpAt = Date.now() + 30_000;
  let before = await takeCensus(platform);
  for (;;) {
    await sleep(QUIET_MS);
    const after = await takeCensus(platform);
    const changes = moved(before, after);
    if (changes.length === 0) return after;
    if (Date.now() > giveUpAt) throw new Error(`the platform does not fall quiet: ${changes.join('; ')}`);
    before = after;
  }
}

test('every RPC has a control', () => {
  const without = [...attack.schema.rpcs.keys()].filter((path) => !CONTROLS.some(({ rpc }) => rpc === path));
  expect(without).toEqual([]);
});

test('hostile requests are refused with the right status and field, and change nothing', async () => {
  const accepted = [];
  for (const control of CONTROLS) accepted.push(await attack.prove(await attack.target(control)));
  expect(accepted.filter(({ answer }) => answer.code !== status.OK)).toEqual([]);

  const targets: Target[] = [];
  for (const control of CONTROLS) targets.push(await attack.target(control));
  const before = await quietCensus();
  const results: Result[] = await attack.run(targets);
  const after = await takeCensus(platform);
  process.stdout.write(`${table(results)}\n${summary(results)}\n`);

  expect(results.flatMap((result) => problem(result) ?? [])).toEqual([]);
  expect(moved(before, after)).toEqual([]);
  expect(crashed(platform)).toEqual([]);
  expect(results.length).toBeGreaterThanOrEqual(REQUESTS_MIN);
  expect(exactShare(results.map(({ mutation }) => mutation))).toBeGreaterThanOrEqual(EXACT_SHARE_MIN);

  // The valid requests that all of them were one field away from are still valid: nothing of them was used up.
  const still = [];
  for (const target of targets) still.push(await attack.prove(target));
  expect(still.filter(({ answer }) => answer.code !== status.OK)).toEqual([]);
}, 180_000);

function problem(result: Result): string | undefined {
  const wrong = verdict(result);
  return wrong === undefined
    ? undefined
    : `${result.mutation.rpc} ${result.mutation.kind} ${result.mutation.label}: ${wrong}`;
}
