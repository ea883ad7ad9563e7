import type { AuthzRule } from '@daya/proto';
import { Status } from '@daya/proto/google';

/** A service in the very form ts-proto generates, over generated messages: every kind of RPC and of rule. */
const method = <P extends string, Q extends boolean, S extends boolean>(
  path: P,
  requestStream: Q,
  responseStream: S,
) => ({
  path,
  requestStream,
  responseStream,
  requestSerialize: (value: Status): Buffer => Buffer.from(Status.encode(value).finish()),
  requestDeserialize: (value: Buffer): Status => Status.decode(value),
  responseSerialize: (value: Status): Buffer => Buffer.from(Status.encode(value).finish()),
  responseDeserialize: (value: Buffer): Status => Status.decode(value),
});

export const EchoService = {
  echo: method('/daya.echo.v1.EchoService/Echo', false as const, false as const),
  change: method('/daya.echo.v1.EchoService/Change', false as const, false as const),
  operate: method('/daya.echo.v1.EchoService/Operate', false as const, false as const),
  watch: method('/daya.echo.v1.EchoService/Watch', false as const, true as const),
  collect: method('/daya.echo.v1.EchoService/Collect', true as const, false as const),
  chat: method('/daya.echo.v1.EchoService/Chat', true as const, true as const),
};

export const AgentService = {
  ping: method('/daya.echo.v1.AgentService/Ping', false as const, false as const),
  secret: method('/daya.echo.v1.AgentService/Secret', false as const, false as const),
};

export const EnrolmentService = {
  enrol: method('/daya.echo.v1.EnrolmentService/Enrol', false as const, false as const),
};

const NOBODY: AuthzRule = {
  services: [],
  role: undefined,
  scope: undefined,
  agents: false,
  operator: false,
  anonymous: false,
};
const open: AuthzRule = { ...NOBODY, services: ['scheduler', 'billing'], role: 'viewer' };

export const ECHO_AUTHZ: Record<string, AuthzRule> = {
  '/daya.echo.v1.EchoService/Echo': open,
  '/daya.echo.v1.EchoService/Change': { ...NOBODY, role: 'admin', scope: 'jobs:write' },
  '/daya.echo.v1.EchoService/Operate': { ...NOBODY, operator: true },
  '/daya.echo.v1.EchoService/Watch': open,
  '/daya.echo.v1.EchoService/Collect': open,
  '/daya.echo.v1.EchoService/Chat': open,
  '/daya.echo.v1.AgentService/Ping': { ...NOBODY, agents: true },
  '/daya.echo.v1.AgentService/Secret': { ...NOBODY, services: ['scheduler'] },
  '/daya.echo.v1.EnrolmentService/Enrol': { ...NOBODY, anonymous: true },
};

export const status = (message: string, code = 0): Status => ({ code, message, details: [] });
