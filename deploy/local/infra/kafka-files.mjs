import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, KAFKA_VERSION } from './paths.mjs';
import { mustRun, runProgram } from './process.mjs';

const DOWNLOAD_MS = 300_000;
const DEPENDENCIES = [
  ['org.apache.kafka', 'kafka_2.13', KAFKA_VERSION],
  ['org.apache.logging.log4j', 'log4j-core', '2.24.3'],
  ['org.apache.logging.log4j', 'log4j-slf4j-impl', '2.24.3'],
];
const LOG_SETTINGS = `rootLogger.level=WARN
rootLogger.appenderRef.stdout.ref=STDOUT
appender.stdout.type=Console
appender.stdout.name=STDOUT
appender.stdout.layout.type=PatternLayout
appender.stdout.layout.pattern=[%d{ISO8601}] %p %m (%c)%n
logger.start.name=kafka.server.KafkaRaftServer
logger.start.level=INFO
`;

export function kafkaFolder() {
  return join(cacheFolder(), `kafka-${KAFKA_VERSION}`);
}

export function kafkaIsCached() {
  return existsSync(join(kafkaFolder(), 'libs'));
}

/** Lets Maven copy the broker and its 45 libraries into the cache: once, about 43 MB. */
export async function downloadKafka(log) {
  const folder = kafkaFolder();
  const draft = join(folder, `libs.${process.pid}`);
  mkdirSync(draft, { recursive: true });
  writeFileSync(join(folder, 'pom.xml'), pom());
  log(`Kafka: fetching ${KAFKA_VERSION} with Maven`);
  const args = [
    '-B',
    '-ntp',
    '-q',
    '-f',
    join(folder, 'pom.xml'),
    'dependency:copy-dependencies',
    '-DincludeScope=runtime',
    `-DoutputDirectory=${draft}`,
  ];
  try {
    await mustRun('download of Kafka', 'mvn', args, { timeoutMs: DOWNLOAD_MS, cwd: folder });
    if (!kafkaIsCached()) renameSync(draft, join(folder, 'libs'));
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

function pom() {
  const entries = DEPENDENCIES.map(
    ([group, artifact, version]) =>
      `    <dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`,
  );
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>daya</groupId><artifactId>kafka-runtime</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
${entries.join('\n')}
  </dependencies>
</project>
`;
}

/** The running Java's version line, or undefined when there is none. `{ major, text }` */
export async function javaVersion() {
  const { code, stderr } = await runProgram('java', ['-version']);
  const major = Number(/version "(?:1\.)?(\d+)/.exec(stderr)?.[1] ?? 0);
  return code === 0 && major > 0 ? { major, text: stderr.trim() } : undefined;
}

/** Name of the class-data archive: the JVM accepts it only from the same Java and the same library paths. */
export async function archiveFile() {
  const java = await javaVersion();
  const key = createHash('sha256').update(`${java?.text}\n${kafkaFolder()}`).digest('hex').slice(0, 12);
  return join(kafkaFolder(), `classes-${key}.jsa`);
}

/** Command line of the broker. `archive` = read that class-data archive, `writeArchive` = make it when the broker ends. */
export function javaArgs({ folder, archive, writeArchive }) {
  const classData =
    writeArchive !== undefined
      ? [`-XX:ArchiveClassesAtExit=${writeArchive}`]
      : archive !== undefined
        ? [`-XX:SharedArchiveFile=${archive}`, '-Xshare:auto', '-Xlog:cds=off', '-Xlog:cds+dynamic=off']
        : [];
  const heap = ['-Xms64m', '-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:+ExitOnOutOfMemoryError'];
  return [
    ...heap,
    ...classData,
    `-Dlog4j2.configurationFile=file:${join(folder, 'log4j2.properties')}`,
    '-cp',
    join(kafkaFolder(), 'libs', '*'),
  ];
}

export function writeLogSettings(folder) {
  writeFileSync(join(folder, 'log4j2.properties'), LOG_SETTINGS);
}
