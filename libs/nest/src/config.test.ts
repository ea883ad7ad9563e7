import { z } from 'zod';
import {
  baseConfigShape,
  ConfigError,
  databaseConfigShape,
  flag,
  kafkaConfigShape,
  loadConfig,
  peerUrl,
  redisConfigShape,
} from './config';

const schema = z.object({
  ...baseConfigShape,
  ...databaseConfigShape,
  ...kafkaConfigShape,
  ...redisConfigShape,
  BILLING_URL: peerUrl,
  DEMO: flag.default(false),
});
const GOOD = {
  GRPC_PORT: '7001',
  ADMIN_PORT: '7002',
  TLS_FOLDER: '/run/tls',
  IDENTITY_KEY_FILE: '/run/x.jwk.json',
  JWKS_FILE: '/run/jwks.json',
  DATABASE_URL: 'postgres://a:b@127.0.0.1/x',
  DATABASE_SYSTEM_URL: 'postgres://a:b@127.0.0.1/x',
  KAFKA_BROKERS: 'a:9092, b:9092',
  REDIS_URL: 'redis://127.0.0.1:6379',
  BILLING_URL: 'dns:///billing:7001',
};

test('a good environment becomes typed values with defaults', () => {
  expect(loadConfig(schema, { ...GOOD, TIMER_SCALE: '0.2', LOG_LEVEL: '', DEMO: 'true' })).toMatchObject({
    GRPC_PORT: 7001,
    TIMER_SCALE: 0.2,
    LOG_LEVEL: 'info',
    KAFKA_BROKERS: ['a:9092', 'b:9092'],
    KAFKA_PREFIX: '',
    DEMO: true,
  });
});

test('every problem is listed at once, and no value is repeated', () => {
  const env = {
    ...GOOD,
    GRPC_PORT: 'seven',
    TLS_FOLDER: '',
    DATABASE_URL: 'mysql://root:hunter2@db',
    BILLING_URL: 'billing',
    DEMO: 'yes',
  };
  const error = (() => {
    try {
      return loadConfig(schema, env);
    } catch (caught) {
      return caught;
    }
  })() as ConfigError;
  expect(error).toBeInstanceOf(ConfigError);
  expect(error.problems.map((line) => line.split(/[: ]/)[0]).sort()).toEqual([
    'BILLING_URL',
    'DATABASE_URL',
    'DEMO',
    'GRPC_PORT',
    'TLS_FOLDER',
  ]);
  expect(error.problems).toContain('TLS_FOLDER is missing');
  expect(error.message).not.toContain('hunter2');
});

test('an empty environment names every missing variable', () => {
  expect(() => loadConfig(schema, {})).toThrow(/GRPC_PORT is missing[\s\S]*BILLING_URL is missing/);
});
