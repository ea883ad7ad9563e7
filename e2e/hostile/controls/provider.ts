import { generateKeyPairSync, sign } from 'node:crypto';
import { toTimestamp } from '@daya/proto';
import { Connectivity, ProviderKind, ProviderServiceService, UnschedulableReason, Node } from '@daya/proto/registry';
import { certificateRequest } from '../certificate-request';
import { control, type Control } from '../control';
import type { Rules } from '../mutations';
import {
  both,
  bytes,
  distinct,
  enumeration,
  inner,
  list,
  mask,
  optionalText,
  range,
  required,
  shaped,
  text,
  timestamp,
  type Rule,
} from '../rules';
import { inventoryOf, REGION, type World } from '../world';
import { displayName, outputs, page, slug } from './registry-fields';

const INT32_MAX = 2 ** 31 - 1;
const { createProvider, getProvider, listProviders, createEnrolmentToken, enrolNode, renewNodeCertificate } =
  ProviderServiceService;
const { checkNodeCertificate, batchCheckNodeCertificates } = ProviderServiceService;
const { revokeNode, reportInventory, reportConnectivity, getNode, listNodes, updateNode } = ProviderServiceService;

const newRequest = (): Buffer => certificateRequest(generateKeyPairSync('ed25519').privateKey);

/** What a renewal says, signed by the node's current key. */
export async function renewal(world: World) {
  const { nodeId, key } = await world.newNode();
  const request = certificateRequest(key);
  const generation = Buffer.from([0, 0, 0, 1]);
  return {
    nodeId,
    generation: 1,
    certificateRequest: request,
    signature: sign(null, Buffer.concat([request, generation]), key),
  };
}

const BAD_ADDRESSES = [
  '0x',
  '0x12',
  `0x${'g'.repeat(40)}`,
  'a'.repeat(40),
  `0X${'a'.repeat(40)}`,
  `0x${'a'.repeat(39)}`,
  `0x${'a'.repeat(41)}`,
  `0x${'a'.repeat(40)} `,
  `0x${'a'.repeat(40)}\n`,
  'x'.repeat(5_000),
  '\0',
];
const BAD_MODELS = ['gtx-1080', 'RTX-4090', 'rtx-4090 ', '\0', 'x'.repeat(5_000), '*', 'null'];

/** The rules of an Inventory in the field `at`. */
export const inventoryRules = (at: string): Rules => ({
  [at]: required(),
  [`${at}.gpus`]: list(inner(), { min: 1, max: 16, hugest: 1_000 }),
  [`${at}.gpus.index`]: range(0, 15),
  [`${at}.gpus.uuid`]: text(128),
  [`${at}.gpus.serial`]: optionalText(128),
  [`${at}.gpus.gpu_model_id`]: shaped(BAD_MODELS),
  [`${at}.gpus.vram_mib`]: range(1, INT32_MAX),
  [`${at}.cpu_milli`]: range(1, 4_096_000),
  [`${at}.memory_mib`]: range(1, INT32_MAX),
  [`${at}.scratch_mib`]: range(1, INT32_MAX),
  [`${at}.network_mbps`]: range(0, INT32_MAX),
  [`${at}.driver_version`]: optionalText(64),
  [`${at}.agent_version`]: optionalText(64),
  [`${at}.container_driver`]: shaped(['podman', 'RUNC', 'runc ', '\0', 'x'.repeat(5_000)]),
});

/** A second mention of a node is named where it stands. */
const once = (rule: Rule, at: string): Rule => {
  const { lists } = distinct(inner());
  return { ...rule, lists: [...rule.lists, ...lists.map((one) => ({ ...one, at }))] };
};

const nodeUpdate = async (world: World) => {
  const { nodeId } = await world.idleNode();
  const values = { displayName: 'renamed', region: 'us-west', unschedulableReason: UnschedulableReason.MAINTENANCE };
  return {
    requestId: world.requestId(),
    node: Node.fromPartial({ nodeId, ...values }),
    updateMask: ['display_name', 'region', 'unschedulable_reason'],
  };
};

const PROVIDERS: readonly Control[] = [
  control(createProvider, {
    as: 'customer',
    // An organisation is a provider once.
    member: (world) => world.newcomer(),
    request: (world) => ({
      requestId: world.requestId(),
      displayName: 'cards',
      kind: ProviderKind.INDIVIDUAL,
      rewardAddress: `0x${'a'.repeat(40)}`,
    }),
    rules: {
      display_name: displayName(),
      kind: enumeration(),
      reward_address: shaped(BAD_ADDRESSES, { required: false }),
    },
  }),
  control(getProvider, {
    as: 'provider',
    request: async (world) => ({ providerId: (await world.provider()).providerId }),
  }),
  control(listProviders, { as: 'provider', request: () => page }),
  control(createEnrolmentToken, {
    as: 'provider',
    request: async (world) => ({
      requestId: world.requestId(),
      providerId: (await world.provider()).providerId,
      displayName: 'node',
      region: REGION,
      emulated: true,
    }),
    rules: { display_name: displayName(), region: slug() },
  }),
];

const CERTIFICATES: readonly Control[] = [
  control(enrolNode, {
    as: 'dispatch',
    request: async (world) => ({ token: await world.enrolmentToken(), certificateRequest: newRequest() }),
    rules: { token: text(256), certificate_request: certificateRule(4_096) },
  }),
  control(renewNodeCertificate, {
    as: 'dispatch',
    request: renewal,
    rules: { generation: range(1, 999_999_998), certificate_request: bytes(1, 4_096), signature: bytes(64, 64) },
  }),
  control(checkNodeCertificate, {
    as: 'dispatch',
    request: async (world) => ({ nodeId: (await world.idleNode()).nodeId, generation: 1 }),
    rules: { generation: range(1, 999_999_999) },
  }),
  control(batchCheckNodeCertificates, {
    as: 'dispatch',
    request: async (world) => ({ certificates: [{ nodeId: (await world.idleNode()).nodeId, generation: 1 }] }),
    rules: {
      certificates: list(inner(), { min: 1, max: 100, hugest: 2_500 }),
      'certificates.generation': range(1, 999_999_999),
    },
  }),
];

/** Bytes that are no certificate request; all of them are named. */
export function certificateRule(max: number): Rule {
  const request = newRequest();
  const forged = Buffer.from(request);
  forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
  const samples: [string, Uint8Array][] = [
    ['text', Buffer.from('not a request')],
    ['cut', request.subarray(0, 60)],
    ['zeros', Buffer.alloc(100)],
    ['a forged signature', forged],
    ['another tag', Buffer.concat([Buffer.from([0x31]), request.subarray(1)])],
  ];
  return both(bytes(1, max), {
    ...inner(),
    values: () => samples.map(([label, value]) => ({ kind: 'malformed', label, value })),
  });
}

const NODES: readonly Control[] = [
  control(revokeNode, {
    as: 'provider',
    request: async (world) => ({
      requestId: world.requestId(),
      nodeId: (await world.newNode()).nodeId,
      reason: 'stolen',
    }),
    rules: { reason: text(200) },
  }),
  control(reportInventory, {
    as: 'dispatch',
    request: async (world) => {
      const { nodeId } = await world.node();
      return { requestId: world.requestId(), nodeId, inventory: inventoryOf(nodeId) };
    },
    rules: inventoryRules('inventory'),
  }),
  control(reportConnectivity, {
    as: 'scheduler',
    request: async (world) => {
      const heard = {
        nodeId: (await world.idleNode()).nodeId,
        connectivity: Connectivity.ONLINE,
        sinceTime: toTimestamp(new Date()),
      };
      return { requestId: world.requestId(), nodes: [heard, { ...heard, nodeId: world.requestId() }] };
    },
    rules: {
      nodes: once(list(inner(), { min: 1, max: 100, hugest: 2_500 }), '[2].node_id'),
      'nodes.connectivity': enumeration(),
      'nodes.since_time': timestamp(),
    },
  }),
  control(getNode, { as: 'provider', request: async (world) => ({ nodeId: (await world.idleNode()).nodeId }) }),
  control(listNodes, { as: 'provider', request: () => page }),
  control(updateNode, {
    as: 'provider',
    request: nodeUpdate,
    rules: {
      ...outputs('node', [
        'provider_id',
        'organisation_id',
        'inventory',
        'connectivity',
        'admission_state',
        'admission_reason',
        'trust_tier',
      ]),
      ...outputs('node', ['certificate_generation', 'certificate_expire_time', 'create_time', 'version']),
      'node.display_name': displayName(),
      'node.region': slug(),
      'node.unschedulable_reason': enumeration({ required: false, refused: [1n, 4n, 5n] }),
      update_mask: mask(['display_name', 'region', 'unschedulable_reason']),
    },
  }),
];

export const PROVIDER: readonly Control[] = [...PROVIDERS, ...CERTIFICATES, ...NODES];
