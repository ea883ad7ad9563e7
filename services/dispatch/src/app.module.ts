import type { DynamicModule } from '@nestjs/common';
import { Clock, IdGenerator, timersAt, type Timers } from '@daya/kernel';
import { createKafka, type Kafka } from '@daya/messaging';
import {
  createClient,
  Identity,
  loadTls,
  LOGGER,
  provide,
  provideAs,
  provideValue,
  provideWith,
  token,
  type Logger,
} from '@daya/nest';
import { ProviderServiceService } from '@daya/proto/registry';
import { BlobServiceService, LeaseServiceService, SchedulerServiceService } from '@daya/proto/scheduler';
import { ProtoBlocks } from './adapters/blocks';
import { DispatchWorkers, type DispatchWorkersOptions } from './adapters/bullmq/dispatch-workers';
import { PrometheusCounters } from './adapters/counters';
import { ArtifactFolder } from './adapters/files/artifact-folder';
import { BootFolder } from './adapters/files/boot-folder';
import { LogFolder } from './adapters/files/log-folder';
import { PermitFolder } from './adapters/files/permit-folder';
import { AgentController } from './adapters/grpc/agent.controller';
import { DispatchController } from './adapters/grpc/dispatch.controller';
import { EnrolmentController } from './adapters/grpc/enrolment.controller';
import { KafkaUsageTopic } from './adapters/kafka/kafka-usage-topic';
import { RegistryClient } from './adapters/peers/registry-client';
import { SchedulerClient } from './adapters/peers/scheduler-client';
import { HashedIds } from './adapters/stable-ids';
import { AgentDirectory } from './application/agent-directory';
import { Certificates } from './application/certificates';
import { ConnectAgent } from './application/connect-agent';
import { DownloadBlob, UploadBlob } from './application/customer-blobs';
import { DeliverOrders } from './application/deliver-orders';
import { EnrolNode } from './application/enrol-node';
import { BlobReach, FetchBlob } from './application/fetch-blob';
import { FindPermit } from './application/find-permit';
import { FollowLog } from './application/follow-log';
import { ForwardReport, ReportedArtifacts } from './application/forward-report';
import { ForwardUsage } from './application/forward-usage';
import { FrameRouter } from './application/frame-router';
import { GreetAgent, StoreInventory } from './application/greet-agent';
import {
  AgentBoots,
  ArtifactStore,
  Blocks,
  Counters,
  LeasePermits,
  Registry,
  RunLogs,
  Scheduler,
  StableIds,
  UsageTopic,
} from './application/ports';
import { RenewNode } from './application/renew-node';
import { SchedulerDesk } from './application/scheduler-desk';
import { StoreLog } from './application/store-log';
import { SweepStore } from './application/sweep-store';
import { UploadArtifact } from './application/upload-artifact';
import { WatchStreams } from './application/watch-streams';
import { DepartingAgents } from './application/departing-agents';
import type { DispatchConfig } from './config';
import {
  FOLLOWERS_MAX,
  FOLLOWERS_PER_JOB_MAX,
  MISSED_OFFERS_MAX,
  TRANSFERS_MAX,
  TRANSFERS_PER_OWNER_MAX,
} from './domain/limits';
import { MissedOffers } from './domain/missed-offers';
import { RateLimit } from './domain/rate-limit';
import { Slots } from './domain/slots';

const TIMERS = token<Timers>('TIMERS');
const KAFKA = token<Kafka>('KAFKA');
const NODE_TRANSFERS = token<Slots>('NODE_TRANSFERS');
const CUSTOMER_TRANSFERS = token<Slots>('CUSTOMER_TRANSFERS');
const FOLLOWERS = token<Slots>('FOLLOWERS');
const LOG_BYTES_MAX = token<number>('LOG_BYTES_MAX');
const AGENTS_MAX = token<number>('AGENTS_MAX');
const AGENT_ADDRESS = token<string>('AGENT_ADDRESS');
const QUEUES = token<DispatchWorkersOptions>('QUEUES');

/** Every binding of the service. */
export class AppModule {
  static with(config: DispatchConfig): DynamicModule {
    return {
      module: AppModule,
      controllers: [AgentController, EnrolmentController, DispatchController],
      providers: [...settings(config), ...peers(config), ...stores(config), ...streams(), ...transfers(config)],
    };
  }
}

const settings = (config: DispatchConfig) => [
  provideValue(TIMERS, timersAt(config.TIMER_SCALE)),
  provideValue(LOG_BYTES_MAX, config.LOG_BYTES_MAX),
  provideValue(AGENTS_MAX, config.AGENTS_MAX),
  provideValue(AGENT_ADDRESS, config.AGENT_ADDRESS),
  provideValue(QUEUES, {
    redisUrl: config.REDIS_URL,
    prefix: config.BULLMQ_PREFIX,
    queueCount: config.DISPATCH_QUEUE_COUNT,
  }),
  provideAs(Counters, PrometheusCounters, [LOGGER]),
  provideAs(StableIds, HashedIds, []),
  provideAs(Blocks, ProtoBlocks, []),
];

const peers = (config: DispatchConfig) => [
  provideWith(
    KAFKA,
    (logger: Logger) =>
      createKafka({ brokers: config.KAFKA_BROKERS, prefix: config.KAFKA_PREFIX, clientId: 'dispatch', logger }),
    [LOGGER],
  ),
  provide(KafkaUsageTopic, [KAFKA, IdGenerator, LOGGER]),
  provideWith(UsageTopic, (topic: KafkaUsageTopic): UsageTopic => topic, [KafkaUsageTopic]),
  provideWith(
    Registry,
    (identity: Identity): Registry => {
      const options = {
        url: config.REGISTRY_URL,
        audience: 'registry',
        identity,
        tls: loadTls(config.TLS_FOLDER, 'dispatch'),
      };
      return new RegistryClient(createClient(ProviderServiceService, options));
    },
    [Identity],
  ),
  provideWith(
    Scheduler,
    (identity: Identity): Scheduler => {
      const options = {
        url: config.SCHEDULER_URL,
        audience: 'scheduler',
        identity,
        tls: loadTls(config.TLS_FOLDER, 'dispatch'),
      };
      return new SchedulerClient({
        leases: createClient(LeaseServiceService, options),
        blobs: createClient(BlobServiceService, options),
        jobs: createClient(SchedulerServiceService, options),
      });
    },
    [Identity],
  ),
  provide(SchedulerDesk, [Scheduler, Clock]),
];

const stores = (config: DispatchConfig) => [
  provideValue(
    ArtifactFolder,
    new ArtifactFolder({
      folder: config.STORE_FOLDER,
      quotaBytes: config.STORE_QUOTA_BYTES,
      blobBytesMax: config.BLOB_BYTES_MAX,
    }),
  ),
  provideWith(ArtifactStore, (folder: ArtifactFolder): ArtifactStore => folder, [ArtifactFolder]),
  provideValue<LeasePermits>(LeasePermits, new PermitFolder(`${config.STORE_FOLDER}/permits`)),
  provideValue<AgentBoots>(AgentBoots, new BootFolder(`${config.STORE_FOLDER}/nodes`)),
  provideValue<RunLogs>(RunLogs, new LogFolder(`${config.STORE_FOLDER}/logs`)),
  provide(SweepStore, [LeasePermits, RunLogs, Counters, Clock]),
];

const streams = () => [
  provide(AgentDirectory, [AGENTS_MAX, Counters]),
  provide(Certificates, [Registry, Clock]),
  provideWith(MissedOffers, ({ offerMs }: Timers) => new MissedOffers(offerMs, MISSED_OFFERS_MAX), [TIMERS]),
  provide(DeliverOrders, [SchedulerDesk, AgentDirectory, LeasePermits, MissedOffers, Counters, Clock]),
  provide(FindPermit, [LeasePermits, SchedulerDesk, Clock]),
  provide(RenewNode, [SchedulerDesk, Counters, Clock]),
  provide(StoreInventory, [Registry, StableIds, Counters]),
  provide(GreetAgent, [RenewNode, AgentBoots, StoreInventory, DeliverOrders, TIMERS]),
  provide(ReportedArtifacts, [FindPermit, LeasePermits, ArtifactStore]),
  provide(ForwardReport, [SchedulerDesk, ReportedArtifacts, LeasePermits, Counters, Clock]),
  provide(ForwardUsage, [Certificates, Blocks, UsageTopic, Counters, Clock]),
  provide(StoreLog, [FindPermit, RunLogs, Counters, LOG_BYTES_MAX]),
  provide(FrameRouter, [GreetAgent, ForwardReport, ForwardUsage, StoreLog, Counters]),
  provide(ConnectAgent, [Certificates, AgentDirectory, FrameRouter, Counters, Clock]),
  provide(WatchStreams, [AgentDirectory, Certificates, Counters, TIMERS, Clock]),
  provide(DepartingAgents, [AgentDirectory, AGENT_ADDRESS]),
  provide(DispatchWorkers, [QUEUES, DeliverOrders, LOGGER]),
];

const transfers = (config: DispatchConfig) => [
  provideValue(NODE_TRANSFERS, new Slots('TRANSFERS_TOO_MANY', TRANSFERS_MAX, TRANSFERS_PER_OWNER_MAX)),
  provideValue(CUSTOMER_TRANSFERS, new Slots('TRANSFERS_TOO_MANY', TRANSFERS_MAX, TRANSFERS_PER_OWNER_MAX)),
  provideValue(FOLLOWERS, new Slots('FOLLOWERS_TOO_MANY', FOLLOWERS_MAX, FOLLOWERS_PER_JOB_MAX)),
  provide(BlobReach, [Scheduler, ArtifactStore]),
  provide(FetchBlob, [Certificates, FindPermit, BlobReach, ArtifactStore, NODE_TRANSFERS]),
  provide(UploadArtifact, [Certificates, FindPermit, LeasePermits, ArtifactStore, NODE_TRANSFERS]),
  provide(UploadBlob, [ArtifactStore, Scheduler, StableIds, CUSTOMER_TRANSFERS]),
  provide(DownloadBlob, [ArtifactStore, Scheduler, CUSTOMER_TRANSFERS]),
  provide(FollowLog, [Scheduler, RunLogs, FOLLOWERS, Clock]),
  provideWith(RateLimit, () => new RateLimit({ burst: config.ENROL_BURST, perMinute: config.ENROL_PER_MINUTE }), []),
  provide(EnrolNode, [Registry, RateLimit, Clock, AGENT_ADDRESS]),
];
