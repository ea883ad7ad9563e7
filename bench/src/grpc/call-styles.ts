import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Identity, type Member } from '@daya/nest';
import type { CallStyle } from './load';

const MEMBER: Member = {
  kind: 'member',
  organisationId: '0197a0a0-0000-7000-8000-000000000003',
  role: 'admin',
  scopes: ['jobs:read', 'nodes:read'],
  keyId: 'key-1',
  operator: false,
};

/** A plain grpc-js call: nothing of ours on the wire. */
export const bareStyle: CallStyle = { deadline: false, headers: async () => ({}) };

/** One service calls another on its own behalf, as libs/nest's client does: its token, a deadline, the trace. */
export function serviceStyle(tlsFolder: string): CallStyle {
  const identity = identityOf('scheduler', tlsFolder);
  return {
    deadline: true,
    headers: async () => ({ authorization: `Bearer ${await identity.serviceToken('registry')}`, traceparent: trace() }),
  };
}

/** The gateway calls for a member: its own token, its word about the member, a deadline, the trace. */
export function memberStyle(tlsFolder: string): CallStyle {
  const identity = identityOf('gateway', tlsFolder);
  return {
    deadline: true,
    headers: async () => ({
      authorization: `Bearer ${await identity.serviceToken('registry')}`,
      'x-daya-caller': await identity.callerToken(MEMBER),
      traceparent: trace(),
    }),
  };
}

const identityOf = (service: string, tlsFolder: string): Identity =>
  new Identity({
    service,
    keyFile: join(tlsFolder, `${service}.jwk.json`),
    jwksFile: join(tlsFolder, 'jwks.json'),
  });

const trace = (): string => `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-00`;
