import { randomBytes } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { archiveFile, javaArgs, kafkaFolder, kafkaIsCached, writeLogSettings } from './kafka-files.mjs';
import { mustRun } from './process.mjs';

const FORMAT_MS = 60_000;
const NODE_ID = 1;

/** What native and Docker brokers have in common; docker-compose.yml repeats it as KAFKA_* (infra/check.mjs compares). */
export const COMMON_SETTINGS = {
  'process.roles': 'broker,controller',
  'node.id': String(NODE_ID),
  'controller.listener.names': 'CONTROLLER',
  'inter.broker.listener.name': 'PLAINTEXT',
  'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
  'num.network.threads': '2',
  'num.io.threads': '2',
  'offsets.topic.replication.factor': '1',
  'offsets.topic.num.partitions': '1',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'transaction.state.log.num.partitions': '1',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
  'share.coordinator.state.topic.num.partitions': '1',
  'group.initial.rebalance.delay.ms': '0',
  'log.cleaner.dedupe.buffer.size': '16777216',
  'auto.create.topics.enable': 'false',
  // One machine: after a kill the controller forgets the dead broker in 2 s instead of 9 s.
  'broker.session.timeout.ms': '2000',
  'broker.heartbeat.interval.ms': '500',
};

/** Writes the settings and formats the data folder; returns the server record. `writeArchive` as in javaArgs. */
export async function prepareKafka({ runDir, port, controllerPort, logFile, writeArchive }) {
  if (!kafkaIsCached()) throw new Error("Kafka is missing: call ensureTools(['kafka']) first");
  const folder = join(runDir, 'kafka');
  const dataFolder = join(folder, 'data');
  mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
  writeLogSettings(folder);
  const settingsFile = join(folder, 'server.properties');
  writeFileSync(settingsFile, properties({ port, controllerPort, dataFolder }));
  const archive = await archiveFile();
  const base = javaArgs({ folder, archive: existsSync(archive) ? archive : undefined, writeArchive });
  await format({ base: javaArgs({ folder }), settingsFile, dataFolder });
  const launch = {
    command: 'java',
    args: [...base, 'kafka.Kafka', settingsFile],
    cwd: folder,
    logFile,
    port,
    probe: 'kafka',
    stopSignal: 'SIGTERM',
    readyMs: 90_000,
    stopMs: 30_000,
  };
  return { launch, temporaryFolders: [] };
}

function properties({ port, controllerPort, dataFolder }) {
  const all = {
    ...COMMON_SETTINGS,
    'controller.quorum.voters': `${NODE_ID}@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'log.dirs': dataFolder,
  };
  return `${Object.entries(all)
    .map(([key, value]) => `${key}=${value}`)
    .join('\n')}\n`;
}

/**
 * Formatting takes a JVM and 2 s, and all it makes are two files: a snapshot with the feature levels, equal for every data
 * folder of this version (kept in the cache after the first time), and meta.properties with two random ids.
 */
async function format({ base, settingsFile, dataFolder }) {
  const cached = join(kafkaFolder(), 'first.checkpoint');
  const ours = join(dataFolder, '__cluster_metadata-0', '00000000000000000000-0000000000.checkpoint');
  if (existsSync(cached)) {
    mkdirSync(dirname(ours), { recursive: true });
    copyFileSync(cached, ours);
    const lines = [`cluster.id=${randomId()}`, `directory.id=${randomId()}`, `node.id=${NODE_ID}`, 'version=1', ''];
    writeFileSync(join(dataFolder, 'meta.properties'), lines.join('\n'));
    return;
  }
  const args = [...base, 'kafka.tools.StorageTool', 'format', '-t', randomId(), '-c', settingsFile];
  await mustRun('format of the Kafka data folder', 'java', args, { timeoutMs: FORMAT_MS });
  const draft = `${cached}.${process.pid}`;
  copyFileSync(ours, draft);
  chmodSync(draft, 0o644);
  renameSync(draft, cached);
}

/** Kafka's form of a random UUID. One that starts with "-" would be read as an option. */
function randomId() {
  const id = randomBytes(16).toString('base64url');
  return id.startsWith('-') ? randomId() : id;
}
