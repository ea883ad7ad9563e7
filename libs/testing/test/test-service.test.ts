import { randomUUID } from 'node:crypto';
import type { Caller } from '@daya/kernel';
import { scopeOf } from '@daya/kernel';
import { appendEvent, createKafka, ensureTopics, EventConsumer, Kafka, OutboxRelay } from '@daya/messaging';
import {
  baseConfigShape,
  databaseConfigShape,
  GrpcService,
  kafkaConfigShape,
  loadConfig,
  provideWith,
  type CallContext,
} from '@daya/nest';
import { createDataSources, DataSources, jsonCodec, once, ScopedTransactions } from '@daya/postgres';
import type { AuthzRule } from '@daya/proto';
import { Status } from '@daya/proto/google';
import { z } from 'zod';
import {
  eventually,
  startTestService,
  testClient,
  testDatabase,
  testEnvironment,
  testIdentity,
  testKafka,
  type TestDatabase,
  type TestIdentity,
  type TestService,
} from '../src';
import { TOPIC, WRITTEN } from './harness';
import { NOTES } from './notes-schema';

const NoteService = {
  makeNote: {
    path: '/daya.notes.v1.NoteService/MakeNote',
    requestStream: false as const,
    responseStream: false as const,
    requestSerialize: (value: Status): Buffer => Buffer.from(Status.encode(value).finish()),
    requestDeserialize: (value: Buffer): Status => Status.decode(value),
    responseSerialize: (value: Status): Buffer => Buffer.from(Status.encode(value).finish()),
    responseDeserialize: (value: Buffer): Status => Status.decode(value),
  },
};
const RULE: AuthzRule = {
  services: [],
  role: 'member',
  scope: undefined,
  agents: false,
  operator: false,
  anonymous: false,
};

/** The message of the request is the request id, its answer the note's id. */
@GrpcService(NoteService, [ScopedTransactions])
class NoteController {
  constructor(private readonly store: ScopedTransactions) {}

  async makeNote(request: Status, { caller }: CallContext): Promise<Status> {
    const owner = caller.kind === 'member' ? caller.organisationId : '';
    const message = await this.store.run(scopeOf(caller), (em) =>
      once(
        em,
        { scope: owner, method: 'MakeNote', requestId: request.message, fingerprint: '' },
        async () => {
          const noteId = randomUUID();
          await em.query(`INSERT INTO note (note_id, owner_id, text) VALUES ($1, $2, $3)`, [
            noteId,
            owner,
            request.message,
          ]);
          await appendEvent(em, {
            eventId: randomUUID(),
            topic: TOPIC,
            key: noteId,
            type: WRITTEN,
            payload: Buffer.from(request.message),
          });
          return noteId;
        },
        jsonCodec<string>(),
      ),
    );
    return { code: 0, message, details: [] };
  }
}

const schema = z.object({ ...baseConfigShape, ...databaseConfigShape, ...kafkaConfigShape });
const handled: { traceparent: string | undefined; key: string }[] = [];
let database: TestDatabase;
let identity: TestIdentity;
let service: TestService;

beforeAll(async () => {
  database = await testDatabase('notes', NOTES);
  identity = await testIdentity(['notes', 'gateway']);
  const kafka = testKafka();
  const config = loadConfig(schema, testEnvironment({ service: 'notes', identity, database, kafka }));
  await ensureTopics(kafka.connect(), [{ name: TOPIC }]);
  class NotesModule {}
  const module = {
    module: NotesModule,
    controllers: [NoteController],
    providers: [
      provideWith(
        DataSources,
        () =>
          createDataSources({
            url: config.DATABASE_URL,
            systemUrl: config.DATABASE_SYSTEM_URL,
            applicationName: 'notes',
          }).open(),
        [],
      ),
      provideWith(ScopedTransactions, (sources) => new ScopedTransactions(sources), [DataSources]),
      provideWith(
        Kafka,
        () => createKafka({ brokers: config.KAFKA_BROKERS, prefix: config.KAFKA_PREFIX, clientId: 'notes' }),
        [],
      ),
      provideWith(OutboxRelay, (sources, bus) => new OutboxRelay({ db: sources.system, kafka: bus }), [
        DataSources,
        Kafka,
      ]),
      provideWith(EventConsumer, (sources, bus) => consumer(sources, bus), [DataSources, Kafka]),
    ],
  };
  service = await startTestService({
    name: 'notes',
    config,
    module,
    grpc: [NoteService],
    authz: { [NoteService.makeNote.path]: RULE },
    startables: [OutboxRelay, EventConsumer],
    ready: (app) => app.get(DataSources).ping(),
  });
});

afterAll(async () => {
  await service.stop();
  await database.drop();
  identity.remove();
});

function consumer(sources: DataSources, kafka: Kafka): EventConsumer {
  const note = (event: { traceparent: string | undefined; key: string }): Promise<void> => {
    handled.push({ traceparent: event.traceparent, key: event.key });
    return Promise.resolve();
  };
  return new EventConsumer({
    kafka,
    group: 'notes.self',
    topics: [TOPIC],
    db: sources.system,
    handlers: { [WRITTEN]: note },
  });
}

test('a call reaches the database under its organisation, and its event reaches the consumer in the same trace', async () => {
  const client = testClient(NoteService, { identity, from: 'gateway', url: service.url, audience: 'notes' });
  const caller: Caller = {
    kind: 'member',
    organisationId: randomUUID(),
    role: 'member',
    scopes: [],
    keyId: 'k',
    operator: false,
  };
  const request = { code: 0, message: 'request-1', details: [] };
  const [first, second] = await Promise.all([
    client.makeNote(request, { caller }),
    client.makeNote(request, { caller }),
  ]);
  expect(second).toEqual(first);
  await eventually(() => expect(handled.map((each) => each.key)).toEqual([first.message]));
  expect(handled[0]?.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
  expect(await (await fetch(`${service.adminUrl}/readyz`)).text()).toBe('ok\n');
  client.onModuleDestroy();
});

test('a node proves itself with the key that enrolment signed', async () => {
  const node = await identity.node('01900000-0000-7000-8000-00000000000c', 3);
  expect(node.publicKey).toHaveLength(32);
  expect(node.tls.cert.toString()).toContain('BEGIN CERTIFICATE');
  expect((await node.sign(Buffer.from('tick'))).length).toBe(64);
});
