import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { testStack } from './stack';

export interface TestRedis {
  readonly url: string;
  /** For BullMQ; no other test uses it. */
  readonly prefix: string;
  readonly env: { readonly REDIS_URL: string; readonly BULLMQ_PREFIX: string };
  /** A client of its own; the test closes it. */
  connect(): Redis;
}

/** The stack's Redis under a key prefix of its own. */
export function testRedis(): TestRedis {
  const { url } = testStack().redis;
  const prefix = `t-${randomBytes(6).toString('hex')}`;
  return {
    url,
    prefix,
    env: { REDIS_URL: url, BULLMQ_PREFIX: prefix },
    connect: () => new Redis(url, { maxRetriesPerRequest: null }),
  };
}
