// `node libs/messaging/dist/replay/main.js [--list] [--consumer NAME] [--topic NAME]`, with the service's DATABASE_SYSTEM_URL:
// lists or re-drives the events that its consumers parked as poison. The running consumer does the work.
import { parseArgs } from 'node:util';
import { DataSource } from 'typeorm';
import { listParked, replayDeadLetters } from '../dead-letters';

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { consumer: { type: 'string' }, topic: { type: 'string' }, list: { type: 'boolean', default: false } },
  });
  const url = process.env['DATABASE_SYSTEM_URL'];
  if (url === undefined) throw new Error('DATABASE_SYSTEM_URL is missing');
  const filter = {
    ...(values.consumer && { consumer: values.consumer }),
    ...(values.topic && { topic: values.topic }),
  };
  const db = await new DataSource({ type: 'postgres', url, applicationName: 'daya-replay' }).initialize();
  try {
    if (values.list) {
      console.log(
        JSON.stringify(
          await listParked(db, filter),
          (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value),
          2,
        ),
      );
      return 0;
    }
    const result = await replayDeadLetters({ db, ...filter });
    console.log(JSON.stringify(result));
    return result.left === 0 ? 0 : 1;
  } finally {
    await db.destroy();
  }
}

main().then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 2;
  },
);
