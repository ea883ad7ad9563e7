import { Kafka, logLevel } from 'kafkajs';
import { UsageBlock, UsageBlockReceived } from '@daya/proto/dispatch';
import { eventually, freePort, tcpProxy, testStack } from '@daya/testing';
import { USAGE_TOPIC } from '../src/adapters/kafka/kafka-usage-topic';
import { anId, Harness } from './support/harness';

const BOOT = anId();
const ticks = (count: number): UsageBlock['ticks'] =>
  Array.from({ length: count }, (_, index) => ({
    leaseId: anId(),
    leaseToken: 1n,
    cumulativeMs: BigInt(index),
    final: false,
  }));

interface Message {
  readonly key: string;
  readonly headers: Record<string, string>;
  readonly value: UsageBlockReceived;
}

/** Everything on the topic, from its start. */
async function readTopic(harness: Harness): Promise<Message[]> {
  const { brokers, prefix } = harness.kafka;
  const client = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING });
  const consumer = client.consumer({ groupId: `${prefix}reader`, maxWaitTimeInMs: 100 });
  await consumer.connect();
  harness.onStop(() => consumer.disconnect());
  await consumer.subscribe({ topic: `${prefix}${USAGE_TOPIC}`, fromBeginning: true });
  const messages: Message[] = [];
  await consumer.run({
    eachMessage: ({ message }) => {
      const headers = Object.fromEntries(
        Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]),
      );
      messages.push({
        key: String(message.key),
        headers,
        value: UsageBlockReceived.decode(message.value ?? Buffer.alloc(0)),
      });
      return Promise.resolve();
    },
  });
  return messages;
}

test('signed blocks reach Kafka in order with the time of receipt, and only then are acknowledged', async () => {
  const harness = await Harness.start();
  try {
    const agent = await (await harness.agent()).connect();
    for (let index = 0; index < 5; index += 1)
      agent.send({ $case: 'usage', value: await agent.block(1 + index * 3, ticks(3), BOOT) });
    for (let index = 0; index < 5; index += 1) {
      expect(await agent.next('usageAck')).toEqual({ bootId: BOOT, lastSequence: BigInt(3 + index * 3) });
    }
    const messages = await readTopic(harness);
    await eventually(() => expect(messages).toHaveLength(5), { timeoutMs: 20_000 });
    const blocks = messages.map(({ value }) => UsageBlock.decode(value.signedBlock?.block ?? Buffer.alloc(0)));
    expect(blocks.map(({ firstSequence }) => firstSequence)).toEqual([1n, 4n, 7n, 10n, 13n]);
    expect(messages.every(({ key, value }) => key === agent.nodeId && value.nodeId === agent.nodeId)).toBe(true);
    expect(messages[0]?.headers).toMatchObject({ ce_type: UsageBlockReceived.$type, ce_source: 'dispatch' });
    expect(Math.abs(Number(messages[0]?.value.receiveTime?.seconds) * 1_000 - Date.now())).toBeLessThan(60_000);
  } finally {
    await harness.stop();
  }
}, 60_000);

test('a bad signature, a foreign node, a future generation and a broken block reach nobody and are not acknowledged', async () => {
  const harness = await Harness.start();
  try {
    const agent = await (await harness.agent()).connect();
    const good = await agent.block(1, ticks(1), BOOT);
    const signature = Buffer.from(good.signature);
    signature.writeUInt8(signature.readUInt8(0) ^ 1, 0);
    agent.send({ $case: 'usage', value: { ...good, signature } });
    agent.send({ $case: 'usage', value: { ...good, signature: Buffer.alloc(3) } });
    agent.send({ $case: 'usage', value: { ...good, generation: 2 } });
    agent.send({ $case: 'usage', value: await agent.block(2, ticks(1), BOOT, anId()) });
    agent.send({ $case: 'usage', value: await agent.block(3, [], BOOT) });
    const broken = Buffer.from([255, 255]);
    agent.send({
      $case: 'usage',
      value: { block: broken, signature: Buffer.from(await agent.node.sign(broken)), generation: 1 },
    });
    agent.send({ $case: 'usage', value: await agent.block(9, ticks(1), BOOT) });
    expect(await agent.next('usageAck')).toEqual({ bootId: BOOT, lastSequence: 9n });
    expect(agent.received.filter(({ $case }) => $case === 'usageAck')).toEqual([]);
    const messages = await readTopic(harness);
    await eventually(() => expect(messages).toHaveLength(1), { timeoutMs: 20_000 });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(messages).toHaveLength(1);
  } finally {
    await harness.stop();
  }
}, 60_000);

test('while Kafka is down nothing is acknowledged, heartbeats go on, and repeats are taken once it is back', async () => {
  const [broker] = testStack().kafka.brokers.split(',');
  const [host = '', port] = broker?.split(':') ?? [];
  const link = await tcpProxy({ host, port: Number(port) }, await freePort());
  link.cut();
  const harness = await Harness.start({ KAFKA_BROKERS: link.address });
  try {
    const agent = await (await harness.agent()).connect();
    const blocks = await Promise.all(Array.from({ length: 40 }, (_, index) => agent.block(1 + index, ticks(1), BOOT)));
    blocks.forEach((value) => agent.send({ $case: 'usage', value }));
    for (let sequence = 1; sequence <= 3; sequence += 1) {
      agent.heartbeat(sequence);
      await agent.next('heartbeatAck');
    }
    expect(agent.received.filter(({ $case }) => $case === 'usageAck')).toEqual([]);
    link.heal();
    await eventually(
      async () => {
        agent.send({ $case: 'usage', value: blocks[39] ?? blocks[0]! });
        await agent.next('usageAck', ({ lastSequence }) => lastSequence === 40n, 1_000);
      },
      { timeoutMs: 45_000, everyMs: 500 },
    );
    expect(agent.ended).toBe(false);
  } finally {
    await harness.stop();
    await link.close();
  }
}, 90_000);
