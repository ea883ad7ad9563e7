import { access, constants } from 'node:fs/promises';
import { runService, type RunningService, type ServiceOptions } from '@daya/nest';
import { AgentServiceService, DispatchServiceService, EnrolmentServiceService } from '@daya/proto/dispatch';
import { DispatchWorkers } from './adapters/bullmq/dispatch-workers';
import { ArtifactFolder } from './adapters/files/artifact-folder';
import { KafkaUsageTopic } from './adapters/kafka/kafka-usage-topic';
import { AppModule } from './app.module';
import { DepartingAgents } from './application/departing-agents';
import { SweepStore } from './application/sweep-store';
import { WatchStreams } from './application/watch-streams';
import type { DispatchConfig } from './config';

/** Three doors: the platform's services, agents with certificates, and machines that come for one. */
export function startDispatch(config: DispatchConfig, options: Partial<ServiceOptions> = {}): Promise<RunningService> {
  return runService({
    name: 'dispatch',
    config,
    module: AppModule.with(config),
    grpc: [DispatchServiceService],
    listeners: [
      { name: 'agents', port: config.AGENT_PORT, audience: 'agents', services: [AgentServiceService] },
      { name: 'enrolment', port: config.ENROLMENT_PORT, audience: 'anonymous', services: [EnrolmentServiceService] },
    ],
    // Stopped in reverse: no more doorbells, agents sent away, then what their last frames need.
    startables: [ArtifactFolder, SweepStore, KafkaUsageTopic, WatchStreams, DepartingAgents, DispatchWorkers],
    ready: () => access(config.STORE_FOLDER, constants.R_OK | constants.W_OK),
    ...options,
  });
}
