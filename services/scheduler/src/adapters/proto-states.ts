import {
  Fault as ProtoFault,
  JobState as ProtoJobState,
  NetworkPolicy,
  RunState as ProtoRunState,
  TaskState as ProtoTaskState,
} from '@daya/proto/scheduler';
import type { NetworkAccess } from '../domain/job-spec';
import { JOB_STATES, type Fault, type JobState, type RunState, type TaskState } from '../domain/states';

/** Tables that do not compile when a state is missing. */
const JOB: Readonly<Record<JobState, ProtoJobState>> = ProtoJobState;
const TASK: Readonly<Record<TaskState, ProtoTaskState>> = ProtoTaskState;
const RUN: Readonly<Record<RunState, ProtoRunState>> = ProtoRunState;
const FAULT: Readonly<Record<Fault, ProtoFault>> = ProtoFault;
const NETWORK: Readonly<Record<NetworkAccess, NetworkPolicy>> = NetworkPolicy;

export const toProtoJobState = (state: JobState): ProtoJobState => JOB[state];
export const toProtoTaskState = (state: TaskState): ProtoTaskState => TASK[state];
export const toProtoRunState = (state: RunState): ProtoRunState => RUN[state];
export const toProtoFault = (fault: Fault | undefined): ProtoFault => (fault ? FAULT[fault] : ProtoFault.UNSPECIFIED);
export const toProtoNetwork = (network: NetworkAccess): NetworkPolicy => NETWORK[network];

/** Undefined for unspecified; null for a number that this build does not know. */
export function fromProtoJobState(state: ProtoJobState): JobState | undefined | null {
  if (state === ProtoJobState.UNSPECIFIED) return undefined;
  return JOB_STATES.find((known) => JOB[known] === state) ?? null;
}

/** NONE, INTERNET, UNSPECIFIED, or UNRECOGNIZED for what the domain refuses. */
export const fromProtoNetwork = (network: NetworkPolicy): string => network.replace('NETWORK_POLICY_', '');
