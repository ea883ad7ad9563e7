import { createHash, generateKeyPairSync } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { AgentServiceService, DispatchServiceService, EnrolmentServiceService } from '@daya/proto/dispatch';
import { SHA256_LIKE, UUID_LIKE } from '../bad-values';
import { certificateRequest } from '../certificate-request';
import { control, type Control } from '../control';
import {
  atLeast,
  atLeast32,
  both,
  bytes,
  free,
  inner,
  list,
  named,
  range,
  refusedWith,
  required,
  shaped,
  text,
  uuid,
} from '../rules';
import { inventoryOf, MANIFEST_SHA256 } from '../world';
import { renewal } from './provider';

const { followLog, uploadBlob, downloadBlob } = DispatchServiceService;
const { connect, fetchBlob, uploadArtifact } = AgentServiceService;
const { enrol, renew } = EnrolmentServiceService;
const BLOB = Buffer.from('a blob of a customer');
const BLOB_SHA256 = createHash('sha256').update(BLOB).digest('hex');
const NONE = Buffer.alloc(0);
const sha256 = shaped(SHA256_LIKE);

const MEMBERS: readonly Control[] = [
  control(followLog, {
    as: 'customer',
    request: async (world) => ({
      jobId: (await world.settledJob()).jobId,
      taskIndex: 0,
      runNumber: 0,
      offsetBytes: 0n,
    }),
    rules: { task_index: atLeast32(0), run_number: atLeast32(0), offset_bytes: range(0, Number.MAX_SAFE_INTEGER) },
  }),
  control(uploadBlob, {
    as: 'customer',
    request: () => ({ sha256: BLOB_SHA256, chunk: NONE }),
    rest: () => [{ sha256: '', chunk: BLOB }],
    rules: { sha256, chunk: bytes(0, 131_072) },
  }),
  control(downloadBlob, {
    as: 'customer',
    request: async (world) => {
      await world.manifest();
      return { sha256: MANIFEST_SHA256, offsetBytes: 1n };
    },
    rules: { sha256, offset_bytes: range(0, 100_000) },
  }),
];

const STRANGERS: readonly Control[] = [
  control(enrol, {
    as: 'nobody',
    request: async (world) => ({
      token: await world.enrolmentToken(),
      certificateRequest: certificateRequest(generateKeyPairSync('ed25519').privateKey),
    }),
    rules: { token: text(256), certificate_request: bytes(1, 4_096) },
  }),
  control(renew, {
    as: 'nobody',
    request: renewal,
    rules: { generation: range(1, 999_999_998), certificate_request: bytes(1, 4_096), signature: bytes(64, 64) },
  }),
];

const AGENTS: readonly Control[] = [
  control(connect, {
    as: 'node',
    request: async (world) => {
      const { nodeId } = await world.node();
      const { leaseId, leaseToken } = await world.offeredLease();
      const hello = {
        protocolVersion: 1,
        agentVersion: 'puppet',
        bootId: world.requestId(),
        emulated: true,
        inventory: inventoryOf(nodeId),
        leases: [{ leaseId, leaseToken }],
        draining: false,
      };
      return { frame: { frame: { $case: 'hello' as const, value: hello } } };
    },
    exclusive: true,
    after: (world) => world.reconnect(),
    rules: {
      'frame.hello': refusedWith(status.FAILED_PRECONDITION, required()),
      'frame.hello.protocol_version': refusedWith(status.FAILED_PRECONDITION, atLeast32(1)),
      'frame.hello.agent_version': text(64, { required: false, refused: [] }),
      'frame.hello.boot_id': shaped(UUID_LIKE),
      'frame.hello.inventory': both(required(), free('registry judges its content, see ReportInventory')),
      'frame.hello.leases': list(inner(), { max: 256, hugest: 2_000 }),
      'frame.hello.leases.lease_id': named('frame.hello.leases', uuid()),
      'frame.hello.leases.lease_token': named('frame.hello.leases', atLeast(1)),
    },
  }),
  control(fetchBlob, {
    as: 'node',
    request: async (world) => ({ ...(await world.offeredLease()), sha256: MANIFEST_SHA256, offsetBytes: 0n }),
    rules: { lease_token: atLeast(1), sha256, offset_bytes: range(0, 100_000) },
  }),
  control(uploadArtifact, {
    as: 'node',
    request: async (world) => ({
      header: { ...(await world.offeredLease()), sha256: BLOB_SHA256, bytes: BigInt(BLOB.length) },
      chunk: NONE,
    }),
    rest: () => [{ header: undefined, chunk: BLOB }],
    rules: {
      header: required(),
      'header.lease_token': atLeast(1),
      'header.sha256': sha256,
      'header.bytes': range(0, Number.MAX_SAFE_INTEGER),
      chunk: bytes(0, 131_072),
    },
  }),
];

export const DISPATCH: readonly Control[] = [...MEMBERS, ...STRANGERS, ...AGENTS];
