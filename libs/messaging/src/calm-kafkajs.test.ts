import RequestQueue from 'kafkajs/src/network/requestQueue';
import { setTimeout as sleep } from 'node:timers/promises';
import { calmKafkajs } from './calm-kafkajs';

const logger = { debug: () => undefined, warn: () => undefined };

function aQueue() {
  let looks = 0;
  const sent: number[] = [];
  const queue = new (class extends RequestQueue {
    override checkPendingRequests(): void {
      looks += 1;
      super.checkPendingRequests();
    }
  })({ maxInFlightRequests: null, requestTimeout: 1_000, clientId: 'test', broker: 'b', logger });
  const push = (correlationId: number): void => {
    const entry = { correlationId, apiName: 'test', apiKey: 0, apiVersion: 0, resolve: () => undefined };
    queue.push({ entry, expectResponse: true, sendRequest: () => void sent.push(correlationId) });
  };
  const answer = (correlationId: number): void => queue.fulfillRequest({ correlationId, payload: null, size: 0 });
  return { queue, push, answer, sent, looks: () => looks };
}

beforeAll(calmKafkajs);

test('without waiting requests nothing is looked for', async () => {
  const { push, answer, looks } = aQueue();
  push(1);
  answer(1);
  await sleep(100);
  expect(looks()).toBe(1);
});

test('a request that is throttled goes out when its time is over', async () => {
  const { queue, push, sent, looks } = aQueue();
  queue.maybeThrottle(60);
  push(1);
  expect(sent).toEqual([]);
  await sleep(150);
  expect(sent).toEqual([1]);
  expect(looks()).toBeLessThan(10);
});

test('mending twice is mending once', () => {
  const mended = RequestQueue.prototype.scheduleCheckPendingRequests;
  calmKafkajs();
  expect(RequestQueue.prototype.scheduleCheckPendingRequests).toBe(mended);
});
