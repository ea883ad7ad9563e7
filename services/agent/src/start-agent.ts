import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Clock } from '@daya/kernel';
import { Agent } from './application/agent';
import { HeldLeases } from './application/held-leases';
import { Heartbeats } from './application/heartbeats';
import type { AgentLog, ContainerDriver, UsageSpool } from './application/ports';
import { ReportQueue } from './application/report-queue';
import { RunLease } from './application/run-lease';
import { UsageMeter } from './application/usage-meter';
import { agentTimers } from './domain/timers';
import { runcDriver } from './adapters/container-driver';
import { GrpcBlobExchange } from './adapters/dispatch/blob-exchange';
import { helloFacts } from './adapters/dispatch/hello';
import { offerVerifier } from './adapters/dispatch/offer-signature';
import { PlatformChannel } from './adapters/dispatch/platform-channel';
import { PlatformStream } from './adapters/dispatch/platform-stream';
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

/**
 * Starts the whole agent: inventory, enrolment, clean-up of an earlier life, stream. `keeperCommand` starts a
 * run-keeper. Throws when the node cannot join; once it has joined it goes on for ever.
 */
export async function startAgent(config: AgentConfig, log: AgentLog, keeperCommand: readonly string[], seams = NO_SEAMS): Promise<RunningAgent> {
  const clock = new ProcessClock();
  const wallClock = new WallClock();
  const alarms = new ProcessAlarms();
  const timers = agentTimers(config.TIMER_SCALE);
  const store = new IdentityStore(config.STATE_FOLDER);
  const inventory = await findInventory({
    declarationFile: config.INVENTORY_FILE ?? null,
    allowEmulated: config.ALLOW_EMULATED_GPUS,
    scratchFolder: config.STATE_FOLDER,
  });
  const caCertificate = readFileSync(config.CA_CERTIFICATE_FILE);
  const serverName = config.PLATFORM_SERVER_NAME ?? null;
  const platform = { address: config.ENROLMENT_ADDRESS, caCertificate, serverName };
  const membership = await Membership.join({ store, platform, clock: wallClock, alarms, log }, config.ENROLMENT_TOKEN ?? null);
  const { identity, key } = membership;
  const driver = seams.driver(
    runcDriver(
      {
        stateFolder: config.STATE_FOLDER,
        sandboxFolder: config.SANDBOX_FOLDER ?? null,
        imageFolder: config.IMAGE_FOLDER ?? null,
        nodeId: identity.nodeId,
        keeperCommand,
        backupKillMs: timers.backupKillMs,
      },
      clock,
      alarms,
    ),
  );
  const bootId = randomUUID();
  const ids = new UuidV7();
  const channel = new PlatformChannel({ caCertificate, serverName, key }, identity.agentAddress, identity.certificateChain);
  const stream = new PlatformStream({
    channel,
    homeAddress: identity.agentAddress,
    hello: helloFacts(inventory, bootId, driver.name, config.ALLOW_NETWORK),
    verify: offerVerifier(identity.schedulerPublicKey),
    timers,
    alarms,
    random: Math.random,
    log,
  });
  const seal = sealBlock(identity.nodeId, key, () => membership.identity.generation, () => wallClock.now());
  const spool = seams.spool(new FileUsageSpool(config.STATE_FOLDER, ids.next(), bootId, config.SPOOL_LIMIT_BYTES, seal));
  const journal = new FileLeaseJournal(config.STATE_FOLDER);
  const leases = new HeldLeases();
  const reports = new ReportQueue(new FileReportStore(config.STATE_FOLDER), stream, ids);
  const meter = new UsageMeter(clock, spool, journal, stream);
  const heartbeats = new Heartbeats(timers, leases, stream, meter, reports, clock, alarms, Math.random);
  const runs = new RunLease({ driver, blobs: new GrpcBlobExchange(channel, alarms), reports, meter, link: stream, clock, log, policy: runPolicy(config, inventory) });
  const node = nodeFacts(config, identity.nodeId, inventory);
  const floors = new FileFloorStore(config.STATE_FOLDER);
  const agent = new Agent({ node, driver, link: stream, reports, meter, runs, leases, heartbeats, floors, journal, clock, wallClock, alarms, log });
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

function runPolicy(config: AgentConfig, inventory: Inventory): ConstructorParameters<typeof RunLease>[0]['policy'] {
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

function nodeFacts(config: AgentConfig, nodeId: string, inventory: Inventory): ConstructorParameters<typeof Agent>[0]['node'] {
  const { cpuMilli, memoryMib, scratchMib } = inventory;
  return { nodeId, gpuUuids: new Set(inventory.gpus.map((gpu) => gpu.uuid)), networkAllowed: config.ALLOW_NETWORK, cpuMilli, memoryMib, scratchMib };
}
