// Retries, events and offsets: what every service builds on.
const once = [{ project: 'testing', files: 'test/postgres-once', servers: true }];
const writes = [{ project: 'testing', files: 'test/postgres-writes', servers: true }];
const relay = [{ project: 'testing', files: 'test/messaging-relay', servers: true }];
const consumer = [{ project: 'testing', files: 'test/messaging-consumer', servers: true }];
const batch = [{ project: 'testing', files: 'test/messaging-batch', servers: true }];

export const LIBS = [
  {
    id: 'idempotency-skipped',
    promise: 'a repeated request id gets the first answer and does nothing',
    file: 'libs/postgres/src/request-table.ts',
    old: `  if (inserted.length > 0) return undefined;`,
    new: `  if (inserted.length >= 0) return undefined;`,
    tests: once,
  },
  {
    id: 'idempotency-outside-transaction',
    promise: 'a request id is used up only together with its effect',
    file: 'libs/postgres/src/request-table.ts',
    old: `  const inserted: unknown[] = await em.query(`,
    new: `  const inserted: unknown[] = await em.connection.query(`,
    tests: once,
  },
  {
    id: 'write-failure-lost',
    promise: 'a transaction of which a write failed is reported as failed',
    file: 'libs/postgres/src/transaction.ts',
    old: `    await writes.settled();`,
    new: `    await writes.settled().catch(() => undefined);`,
    tests: writes,
  },
  {
    id: 'statement-after-transaction',
    promise: 'a statement that comes when its transaction is over is refused',
    file: 'libs/postgres/src/transaction.ts',
    old: `const refuseLate = (): Promise<never> => Promise.reject(new Error('the transaction is over'));`,
    new: `const refuseLate = async function (this: QueryRunner, sql: string, values: unknown[]): Promise<never> {
  return ((await this.connect()) as { query(sql: string, values: unknown[]): Promise<never> }).query(sql, values);
} as () => Promise<never>;`,
    tests: writes,
  },
  {
    id: 'inbox-not-written',
    promise: 'an event that comes twice counts once',
    file: 'libs/messaging/src/event-inbox.ts',
    old: `      \`INSERT INTO inbox (consumer, event_id, topic, key, aggregate_version) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (consumer, event_id) DO NOTHING RETURNING 1\`,`,
    new: `      \`SELECT $1::text, $2::text, $3::text, $4::text, $5::text\`,`,
    tests: consumer,
  },
  {
    id: 'outbox-marked-before-publish',
    promise: 'an event is marked only after Kafka has it',
    file: 'libs/messaging/src/outbox-relay.ts',
    old: `    return inTransaction(this.options.db, async (em) => {
      const { rows, more } = await lockedBatch(em);
      if (rows.length === 0) return { sent: 0, more };
      await this.ensureTopics(rows);
      await this.publisher.publishAll(runsOfOneTopic(rows, this.source));
      await write(em, \`UPDATE outbox SET publish_time = clock_timestamp() WHERE position = ANY($1::bigint[])\`, [
        rows.map((row) => row.position),
      ]);
      return { sent: rows.length, more };
    });`,
    new: `    return inTransaction(this.options.db, async (em) => {
      const batch = await lockedBatch(em);
      await write(em, \`UPDATE outbox SET publish_time = clock_timestamp() WHERE position = ANY($1::bigint[])\`, [
        batch.rows.map((row) => row.position),
      ]);
      return batch;
    }).then(async ({ rows, more }) => {
      if (rows.length === 0) return { sent: 0, more };
      await this.ensureTopics(rows);
      await this.publisher.publishAll(runsOfOneTopic(rows, this.source));
      return { sent: rows.length, more };
    });`,
    tests: relay,
  },
  {
    id: 'outbox-cursor',
    promise: 'an event that commits after a later position was sent is not forgotten',
    file: 'libs/messaging/src/outbox-relay.ts',
    old: `     FROM outbox WHERE publish_time IS NULL AND (SELECT locked FROM leader) ORDER BY position LIMIT`,
    new: `     FROM outbox WHERE position > (SELECT coalesce(max(position), 0) FROM outbox WHERE publish_time IS NOT NULL) AND (SELECT locked FROM leader) ORDER BY position LIMIT`,
    tests: relay,
  },
  {
    id: 'published-before-commit',
    promise: 'an event of a change that was rolled back is never sent',
    file: 'libs/messaging/src/append-event.ts',
    old: `  await write(\n    em,\n    \`INSERT INTO outbox`,
    new: `  await em.connection.query(\n    \`INSERT INTO outbox`,
    tests: relay,
  },
  {
    id: 'offset-before-database',
    promise: 'an event whose handler fails comes again',
    file: 'libs/messaging/src/event-consumer.ts',
    old: `        const done = await this.handle(event, abandoned);\n`,
    new: `        resolveOffset(message.offset);
        await commitOffsetsIfNecessary({ topics: [{ topic: batch.topic, partitions: [{ partition: batch.partition, offset: String(BigInt(message.offset) + 1n) }] }] });
        const done = await this.handle(event, abandoned);\n`,
    tests: consumer,
  },
  {
    id: 'batch-offset-before-database',
    promise: 'a batch whose handler fails comes again whole',
    file: 'libs/messaging/src/batch-consumer.ts',
    old: `      await inTransaction(db, async (em) => {
        await this.offsets.advance(em, topic, batch.partition, next, end);
        await handle(ours, em);
      });`,
    new: `      await inTransaction(db, (em) => this.offsets.advance(em, topic, batch.partition, next, end));
      await inTransaction(db, (em) => handle(ours, em));`,
    tests: batch,
  },
];
