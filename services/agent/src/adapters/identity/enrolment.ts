import { sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { credentials, Metadata } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { EnrolmentServiceClient } from '@daya/proto/dispatch';
import type { EnrolResponse, RenewResponse } from '@daya/proto/dispatch';
import { certificateRequest } from './certificate-request';
import type { NodeIdentity } from './node-identity';

const DEADLINE_MS = 15_000;

/** Where and under which name the platform answers. */
export interface EnrolmentAddress {
  /** host:port of the listener without client certificates. */
  readonly address: string;
  readonly caCertificate: Buffer;
  /** What the platform's certificate must be for, when it is not the host of the address. */
  readonly serverName: string | null;
}

/** Exchanges a one-time token for an identity. The key stays here; a token that was used before is refused by the platform. */
export async function enrol(platform: EnrolmentAddress, key: KeyObject, token: string): Promise<NodeIdentity> {
  const request = { token, certificateRequest: Buffer.from(await certificateRequest(key, 'enrolment')) };
  const response = await call<EnrolResponse>(platform, (client, metadata, options, done) =>
    client.enrol(request, metadata, options, done),
  );
  return {
    nodeId: response.nodeId,
    generation: response.generation,
    certificateChain: response.certificateChain,
    agentAddress: response.agentAddress,
    schedulerPublicKey: Buffer.from(response.schedulerPublicKey).toString('base64'),
    renewalNonce: null,
  };
}

/**
 * The same node under a new certificate. The signature proves the key, the generation that nobody else has renewed in
 * between. The same nonce again is a repetition and gets the same answer; another one is another user of the key.
 */
export async function renew(
  platform: EnrolmentAddress,
  key: KeyObject,
  identity: NodeIdentity,
  nonce: string,
): Promise<NodeIdentity> {
  const request = Buffer.from(await certificateRequest(key, nonce));
  const generation = Buffer.alloc(4);
  generation.writeInt32BE(identity.generation);
  const signature = sign(null, Buffer.concat([request, generation]), key);
  const message = { nodeId: identity.nodeId, generation: identity.generation, certificateRequest: request, signature };
  const response = await call<RenewResponse>(platform, (client, metadata, options, done) =>
    client.renew(message, metadata, options, done),
  );
  const { generation: next, certificateChain } = response;
  return { ...identity, generation: next, certificateChain, renewalNonce: null };
}

type Invoke<Response> = (
  client: EnrolmentServiceClient,
  metadata: Metadata,
  options: { deadline: Date },
  done: (error: ServiceError | null, response: Response) => void,
) => void;

async function call<Response>(platform: EnrolmentAddress, invoke: Invoke<Response>): Promise<Response> {
  const options = platform.serverName === null ? {} : { 'grpc.ssl_target_name_override': platform.serverName };
  const client = new EnrolmentServiceClient(platform.address, credentials.createSsl(platform.caCertificate), options);
  try {
    return await new Promise((resolve, reject) => {
      invoke(client, new Metadata(), { deadline: new Date(Date.now() + DEADLINE_MS) }, (error, response) =>
        error === null ? resolve(response) : reject(error),
      );
    });
  } finally {
    client.close();
  }
}
