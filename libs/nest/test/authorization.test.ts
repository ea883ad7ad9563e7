import { status as codes } from '@grpc/grpc-js';
import { SignJWT } from 'jose';
import type { Role } from '@daya/kernel';
import { createClient, type Identity, type Member, type RunningService } from '../src/index';
import { AgentService, EchoService, EnrolmentService, status } from './echo-service';
import { NODE_ID, strangerKey, TestPlatform } from './platform';

const platform = new TestPlatform();
let running: RunningService;

beforeAll(async () => {
  await platform.setUp();
  running = await platform.start();
});
afterAll(async () => {
  await running.stop();
  platform.remove();
});

const member = (role: Role, scopes: string[] = [], operator = false): Member => ({
  kind: 'member',
  organisationId: '0197a0a0-0000-7000-8000-000000000001',
  role,
  scopes,
  keyId: 'key-1',
  operator,
});

const refusal = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'let in',
    (error: unknown) => error,
  );
const withToken = (token: string): Identity => ({ serviceToken: () => token }) as unknown as Identity;
const call = (identity: Identity | undefined) =>
  refusal(
    createClient(EchoService, {
      url: `127.0.0.1:${running.ports.grpc}`,
      audience: 'echo',
      identity,
      tls: { ca: platform.tls().ca },
    }).echo(status('x')),
  );

async function forged(claims: Record<string, unknown>, header: Record<string, unknown> = {}): Promise<string> {
  const nowSeconds = Math.floor(Date.now() / 1_000);
  return new SignJWT({ iss: 'scheduler', aud: 'echo', iat: nowSeconds, exp: nowSeconds + 30, ...claims })
    .setProtectedHeader({ alg: 'EdDSA', kid: 'scheduler', typ: 'daya-service+jwt', ...header })
    .sign(strangerKey());
}

test('no token, a token of noise, and a stranger who signs as scheduler are UNAUTHENTICATED', async () => {
  expect(await call(undefined)).toMatchObject({ code: codes.UNAUTHENTICATED, reason: 'TOKEN_MISSING' });
  for (const token of ['x', 'a.b.c', await forged({}), await forged({}, { kid: 'nobody' })]) {
    expect(await call(withToken(token))).toMatchObject({ code: codes.UNAUTHENTICATED, reason: 'TOKEN_INVALID' });
  }
  const unsigned = `${Buffer.from('{"alg":"none","kid":"scheduler","typ":"daya-service+jwt"}').toString('base64url')}.e30.`;
  expect(await call(withToken(unsigned))).toMatchObject({ code: codes.UNAUTHENTICATED, reason: 'TOKEN_INVALID' });
});

test('a token for another audience, an expired one, one that is not yet old enough to exist, are UNAUTHENTICATED', async () => {
  const scheduler = platform.identity('scheduler');
  expect(await call(withToken(await scheduler.serviceToken('billing')))).toMatchObject({ reason: 'TOKEN_INVALID' });
  const old = platform.identity('scheduler', () => Date.now() - 120_000);
  expect(await call(withToken(await old.serviceToken('echo')))).toMatchObject({ reason: 'TOKEN_EXPIRED' });
  const early = platform.identity('scheduler', () => Date.now() + 600_000);
  expect(await call(withToken(await early.serviceToken('echo')))).toMatchObject({ reason: 'TOKEN_INVALID' });
});

test("a member's token is no service token", async () => {
  const token = await platform.identity('gateway').callerToken(member('owner'));
  expect(await call(withToken(token))).toMatchObject({ code: codes.UNAUTHENTICATED, reason: 'TOKEN_INVALID' });
});

test('a remembered token stops working when it expires', async () => {
  let nowMs = Date.now();
  const server = platform.identity('echo', () => nowMs);
  const token = await platform.identity('scheduler').serviceToken('echo');
  expect(await server.verifyServiceToken(token)).toBe('scheduler');
  expect(server.rememberedService(token)).toBe('scheduler');
  nowMs += 66_000;
  expect(server.rememberedService(token)).toBeUndefined();
  await expect(server.verifyServiceToken(token)).rejects.toMatchObject({ reason: 'TOKEN_EXPIRED' });
});

test('a service that the rule does not name is PERMISSION_DENIED', async () => {
  expect(await call(platform.identity('rewards'))).toMatchObject({
    code: codes.PERMISSION_DENIED,
    reason: 'SERVICE_NOT_ALLOWED',
  });
  expect(await call(platform.identity('gateway'))).toMatchObject({ reason: 'SERVICE_NOT_ALLOWED' });
});

test('members come in by role, scope and operator, and the handler sees who they are', async () => {
  const gateway = platform.client(running, 'gateway');
  const caller = member('viewer');
  await gateway.echo(status('x'), { caller });
  expect(platform.seen.contexts.at(-1)?.caller).toEqual(caller);
  expect(await refusal(gateway.change(status('x'), { caller }))).toMatchObject({
    code: codes.PERMISSION_DENIED,
    reason: 'ROLE_TOO_LOW',
  });
  expect(await refusal(gateway.change(status('x'), { caller: member('admin', ['jobs:read']) }))).toMatchObject({
    reason: 'SCOPE_MISSING',
  });
  expect(await refusal(gateway.change(status('x'), { caller: member('owner', ['jobs:write']) }))).toBe('let in');
  expect(await refusal(gateway.operate(status('x'), { caller: member('owner') }))).toMatchObject({
    reason: 'OPERATOR_ONLY',
  });
  expect(await refusal(gateway.operate(status('x'), { caller: member('viewer', [], true) }))).toBe('let in');
});

test('only the gateway may vouch for a member', async () => {
  const billing = platform.client(running, 'billing');
  expect(await refusal(billing.echo(status('x'), { caller: member('owner') }))).toMatchObject({
    code: codes.UNAUTHENTICATED,
    reason: 'CALLER_TOKEN_INVALID',
  });
});

test("a service passes the gateway's word on within a call", async () => {
  await platform.client(running, 'gateway').echo(status('x'), { caller: member('member') });
  const context = platform.seen.contexts.at(-1);
  await platform.client(running, 'rewards').echo(status('x'), { context: context! });
  expect(platform.seen.contexts.at(-1)?.caller).toMatchObject({ kind: 'member', role: 'member' });
  // Deadlines travel as what is left of them, so each hop adds the time that the request was on its way.
  expect(platform.seen.contexts.at(-1)?.deadline!.getTime()).toBeLessThan(context!.deadline!.getTime() + 100);
  await platform.client(running, 'billing').echo(status('x'), { context: context!, asService: true });
  expect(platform.seen.contexts.at(-1)?.caller).toEqual({ kind: 'system', service: 'billing' });
});

test("agents come by certificate, to the agents' listener, to agents' methods only", async () => {
  const url = `127.0.0.1:${running.ports.agents}`;
  const agent = createClient(AgentService, { url, audience: 'echo', tls: await platform.nodeTls() });
  expect((await agent.ping(status('x'))).message).toBe(`${NODE_ID} 2 CN=${NODE_ID}`);
  expect(await refusal(agent.secret(status('x')))).toMatchObject({
    code: codes.PERMISSION_DENIED,
    reason: 'METHOD_NOT_SERVED_HERE',
  });
  const bare = createClient(AgentService, { url, audience: 'echo', tls: { ca: platform.tls().ca } });
  expect(await refusal(bare.ping(status('x'), { deadlineMs: 1_000 }))).toMatchObject({ code: codes.UNAVAILABLE });
  const service = createClient(AgentService, {
    url,
    audience: 'echo',
    tls: platform.tls('scheduler'),
    identity: platform.identity('scheduler'),
  });
  expect(await refusal(service.ping(status('x')))).toMatchObject({
    code: codes.UNAUTHENTICATED,
    reason: 'CERTIFICATE_INVALID',
  });
});

test('the enrolment listener serves anyone, and nothing else', async () => {
  const url = `127.0.0.1:${running.ports.enrolment}`;
  const anyone = createClient(EnrolmentService, { url, audience: 'echo', tls: { ca: platform.tls().ca } });
  expect((await anyone.enrol(status('hello'))).message).toBe('hello anonymous');
  const echo = createClient(EchoService, {
    url,
    audience: 'echo',
    identity: platform.identity('scheduler'),
    tls: { ca: platform.tls().ca },
  });
  expect(await refusal(echo.echo(status('x')))).toMatchObject({ code: codes.UNIMPLEMENTED });
});

test("a server with another service's certificate is not believed", async () => {
  const client = createClient(EchoService, {
    url: `127.0.0.1:${running.ports.grpc}`,
    audience: 'billing',
    identity: platform.identity('scheduler'),
    tls: { ca: platform.tls().ca },
  });
  expect(await refusal(client.echo(status('x'), { deadlineMs: 1_000 }))).toMatchObject({ code: codes.UNAVAILABLE });
});
