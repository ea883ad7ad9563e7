import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Clock } from '@daya/kernel';
import { Agent } from './application/agent';
import type { NodeFacts } from './application/agent';
import { HeldLeases } from './application/held-leases';
import { Heartbeats } from './application/heartbeats';
import type { AgentLog, ContainerDriver, UsageSpool } from './application/ports';
import { ReportQueue } from './application/report-queue';
import { RunLease } from './application/run-lease';
import type { RunPolicy } from './application/run-lease';
import { UsageMeter } from './application/usage-meter';
import { agentTimers } from './domain/timers';
import type { AgentTimers } from './domain/timers';
import { chooseDriver } from './adapters/container-driver';
import { GrpcBlobExchange } from './adapters/dispatch/blob-exchange';
import { helloFacts } from './adapters/dispatch/hello';
import { offerVerifier } from './adapters/dispatch/offer-signature';
import { PlatformChannel } from './adapters/dispatch/platform-channel';
import { PlatformStream } from './adapters/dispatch/platform-stream';
import type { HelloFacts } from './adapters/dispatch/proto';
import { sealBlock } from './adapters/dispatch/seal-block';
import { ProcessAlarms, ProcessClock } from './adapters/files/monotonic-clock';
import { FileFloorStore, FileLeaseJournal, FileReportStore } from './adapters/files/state-stores';
import { FileUsageSpool } from './adapters/files/usage-spool';
import { UuidV7 } from './adapters/files/uuid-v7';
import { Membership } from './adapters/identity/membership';
import { IdentityStore } from './adapters/identity/node-identity';
import { findInventory } from './adapters/inventory/find-inventory';
import type { Inventory } from './adapters/inventory/inventory';
import type { AgentConfig } from './config';

/** Places where another build may put its own parts between; the shipped agent leaves them as they are. */
export interface AgentSeams {
  readonly driver: (driver: ContainerDriver) => ContainerDriver;
  readonly spool: (spool: UsageSpool) => UsageSpool;
}

export const NO_SEAMS: AgentSeams = { driver: (driver) => driver, spool: (spool) => spool };

export interface RunningAgent {
  /** Takes no new work. */
  drain(): void;
  /** Kills and reports everything, then disconnects. */
  stop(): Promise<void>;
}

const STOP_GRACE_MS = 2_000;

class WallClock extends Clock {
  now(): Date {
    return new Date();
  }
}

/** What every part is made of. */
interface Ground {
  readonly config: AgentConfig;
  readonly log: AgentLog;
  readonly clock: ProcessClock;
  readonly wallClock: Clock;
  readonly alarms: ProcessAlarms;
  readonly timers: AgentTimers;
}

/** Who this node is and what it has. */
interface Joined {
  readonly inventory: Inventory;
  readonly membership: Membership;
  readonly caCertificate: Buffer;
  readonly serverName: string | null;
}

/**
 * Starts the whole agent: inventory, enrolment, clean-up of an earlier life, stream. `keeperCommand` starts a
 * run-keeper. Throws when the node cannot join; once it has joined it goes on for ever.
 */
export async function startAgent(
  config: AgentConfig,
  log: AgentLog,
  keeperCommand: readonly string[],
  seams = NO_SEAMS,
): Promise<RunningAgent> {
  const ground = {
    config,
    log,
    clock: new ProcessClock(),
    wallClock: new WallClock(),
    alarms: new ProcessAlarms(),
    timers: agentTimers(config.TIMER_SCALE),
  };
  const joined = await join(ground);
  const driver = seams.driver(await driverFor(ground, joined, keeperCommand));
  const { membership } = joined;
  const bootId = randomUUID();
  const { channel, stream } = connection(
    ground,
    joined,
    helloFacts(joined.inventory, bootId, driver.name, givesNetwork(config, driver)),
  );
  const { agent, heartbeats } = wire(ground, joined, driver, channel, stream, bootId, seams);
  await agent.recover();
  stream.start(agent);
  const stopRenewing = membership.keepRenewed((renewed) => {
    channel.renewed(renewed.certificateChain);
    stream.reopen();
  });
  return {
    drain: () => agent.drain(),
    stop: async () => {
      stopRenewing();
      await agent.stopAll();
      heartbeats.stop();
      await stream.stop(STOP_GRACE_MS);
      channel.close();
    },
  };
}

async function join({ config, log, wallClock, alarms }: Ground): Promise<Joined> {
  const store = new IdentityStore(config.STATE_FOLDER);
  const inventory = await findInventory({
    declarationFile: config.INVENTORY_FILE ?? null,
    allowEmulated: config.ALLOW_EMULATED_GPUS,
    scratchFolder: config.STATE_FOLDER,
  });
  const caCertificate = readFileSync(config.CA_CERTIFICATE_FILE);
  const serverName = config.PLATFORM_SERVER_NAME ?? null;
  const platform = { address: config.ENROLMENT_ADDRESS, caCertificate, serverName };
  const membership = await Membership.join(
    { store, platform, clock: wallClock, alarms, log },
    config.ENROLMENT_TOKEN ?? null,
  );
  return { inventory, membership, caCertificate, serverName };
}

function driverFor(
  { config, clock, alarms, timers }: Ground,
  { inventory, membership }: Joined,
  keeperCommand: readonly string[],
): Promise<ContainerDriver> {
  return chooseDriver(
    {
      wanted: config.CONTAINER_DRIVER,
      dockerSocket: config.DOCKER_SOCKET,
      stateFolder: config.STATE_FOLDER,
      sandboxFolder: config.SANDBOX_FOLDER ?? null,
      imageFolder: config.IMAGE_FOLDER ?? null,
      nodeId: membership.identity.nodeId,
      keeperCommand,
      backupKillMs: timers.backupKillMs,
      realGpus: !inventory.emulated,
    },
    clock,
    alarms,
  );
}

function connection(
  { alarms, timers, log }: Ground,
  joined: Joined,
  hello: HelloFacts,
): { channel: PlatformChannel; stream: PlatformStream } {
  const { caCertificate, serverName, membership } = joined;
  const { agentAddress, certificateChain, schedulerPublicKey } = membership.identity;
  const settings = { caCertificate, serverName, key: membership.key, keepaliveMs: timers.heartbeatMs };
  const channel = new PlatformChannel(settings, agentAddress, certificateChain);
  const verify = offerVerifier(schedulerPublicKey);
  const stream = new PlatformStream({
    channel,
    homeAddress: agentAddress,
    hello,
    verify,
    timers,
    alarms,
    random: Math.random,
    log,
  });
  return { channel, stream };
}

function wire(
  { config, log, clock, wallClock, alarms, timers }: Ground,
  { inventory, membership }: Joined,
  driver: ContainerDriver,
  channel: PlatformChannel,
  stream: PlatformStream,
  bootId: string,
  seams: AgentSeams,
): { agent: Agent; heartbeats: Heartbeats } {
  const { nodeId } = membership.identity;
  const ids = new UuidV7();
  const seal = sealBlock(
    nodeId,
    membership.key,
    () => membership.identity.generation,
    () => wallClock.now(),
  );
  const spool = seams.spool(
    new FileUsageSpool(config.STATE_FOLDER, ids.next(), bootId, config.SPOOL_LIMIT_BYTES, seal),
  );
  const journal = new FileLeaseJournal(config.STATE_FOLDER);
  const leases = new HeldLeases();
  const reports = new ReportQueue(new FileReportStore(config.STATE_FOLDER), stream, ids);
  const meter = new UsageMeter(clock, spool, journal, stream);
  const heartbeats = new Heartbeats(timers, leases, stream, meter, reports, clock, alarms, Math.random);
  const blobs = new GrpcBlobExchange(channel, alarms);
  const runs = new RunLease({
    driver,
    blobs,
    reports,
    meter,
    link: stream,
    clock,
    log,
    policy: runPolicy(config, inventory),
  });
  const floors = new FileFloorStore(config.STATE_FOLDER);
  const node = nodeFacts(givesNetwork(config, driver), nodeId, inventory);
  const agent = new Agent({
    node,
    driver,
    link: stream,
    reports,
    meter,
    runs,
    leases,
    heartbeats,
    floors,
    journal,
    clock,
    wallClock,
    alarms,
    log,
  });
  return { agent, heartbeats };
}

/** The owner's word and the driver's ability: an offer is never taken in vain. */
function givesNetwork(config: AgentConfig, driver: ContainerDriver): boolean {
  return config.ALLOW_NETWORK && driver.hasNetwork;
}

function runPolicy(config: AgentConfig, inventory: Inventory): RunPolicy {
  return {
    pids: config.PIDS_LIMIT,
    scratchInodes: config.SCRATCH_INODES,
    inputBytes: config.INPUT_LIMIT_BYTES,
    logBytes: config.LOG_LIMIT_BYTES,
    artifactFiles: config.ARTIFACT_LIMIT_FILES,
    artifactBytes: config.ARTIFACT_LIMIT_BYTES,
    emulated: inventory.emulated,
  };
}

function nodeFacts(networkAllowed: boolean, nodeId: string, inventory: Inventory): NodeFacts {
  const { cpuMilli, memoryMib, scratchMib } = inventory;
  return {
    nodeId,
    gpuUuids: new Set(inventory.gpus.map((gpu) => gpu.uuid)),
    networkAllowed,
    cpuMilli,
    memoryMib,
    scratchMib,
  };
}
