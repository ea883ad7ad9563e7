import { createPublicKey, generateKeyPairSync, verify, type KeyObject } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, GrpcCallError, type GrpcClient } from '@daya/nest/client';
import { EnrolmentServiceService, type EnrolRequest, type EnrolResponse } from '@daya/proto/dispatch';
import { status } from '@grpc/grpc-js';
import { certificateRequest } from './certificate-request';

/** A node that has enrolled: all that its agent needs to connect. */
export interface EnrolledNode {
  readonly nodeId: string;
  readonly generation: number;
  readonly agentAddress: string;
  readonly key: KeyObject;
  readonly tls: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer };
  /** Whether the scheduler signed these bytes. */
  verifyOffer(offer: Uint8Array, signature: Uint8Array): boolean;
}

const ENROL_MS = 15_000;
const TRIES = 20;
const PAUSE_MS = 1_000;
/** A platform under load: the same request again gets the same answer. */
const TEMPORARY: readonly number[] = [status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.RESOURCE_EXHAUSTED];

/** Enrols as an agent does: its own key, a certificate request, a one-time token, over the enrolment listener. */
export async function enrolNode(enrolmentUrl: string, ca: Buffer, token: string): Promise<EnrolledNode> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const client = createClient(EnrolmentServiceService, { url: enrolmentUrl, audience: 'dispatch', tls: { ca } });
  try {
    const request = { token, certificateRequest: certificateRequest(privateKey) };
    const reply = await patiently(client, request);
    const schedulerKey = ed25519Key(reply.schedulerPublicKey);
    return {
      nodeId: reply.nodeId,
      generation: reply.generation,
      agentAddress: reply.agentAddress,
      key: privateKey,
      tls: {
        ca,
        cert: Buffer.from(reply.certificateChain),
        key: Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' })),
      },
      verifyOffer: (offer, signature) => verify(null, offer, schedulerKey, signature),
    };
  } finally {
    client.onModuleDestroy();
  }
}

async function patiently(
  client: GrpcClient<typeof EnrolmentServiceService>,
  request: EnrolRequest,
): Promise<EnrolResponse> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await client.enrol(request, { deadlineMs: ENROL_MS });
    } catch (error) {
      const temporary = error instanceof GrpcCallError && TEMPORARY.includes(error.code);
      if (!temporary || attempt === TRIES) throw error;
      await sleep(PAUSE_MS);
    }
  }
}

function ed25519Key(raw: Uint8Array): KeyObject {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(raw).toString('base64url') };
  return createPublicKey({ key: jwk, format: 'jwk' });
}
