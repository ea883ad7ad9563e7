import type { Metadata } from '@grpc/grpc-js';
import { DomainError, hasRole } from '@daya/kernel';
import type { AuthzRule } from '@daya/proto';
import type { Identity, Member } from '../identity/identity';
import { nodeIdentityOf } from '../identity/tls';
import { certificateOf, type Admitted, type ServerCall } from './call-context';

/** Who may come to a listener: services with a token, nodes with a certificate, or anyone. */
export type Audience = 'services' | 'agents' | 'anonymous';

export const CALLER_HEADER = 'x-daya-caller';
const BEARER = 'Bearer ';
const ANYONE: Admitted = { caller: { kind: 'system', service: 'anonymous' } };

const denied = (reason: string, message: string): DomainError => new DomainError('denied', reason, message);
const unauthenticated = (reason: string, message: string): DomainError =>
  new DomainError('unauthenticated', reason, message);

function header(metadata: Metadata, name: string): string | undefined {
  const [value] = metadata.get(name);
  return typeof value === 'string' ? value : undefined;
}

/** Decides who a call is from and whether the method's rule lets them in. Deny by default. */
export class Gate {
  constructor(
    private readonly identity: Identity,
    private readonly audience: Audience,
  ) {}

  /** Synchronous when the tokens were verified before. Throws `unauthenticated` or `denied`. */
  admit(rule: AuthzRule, call: ServerCall): Admitted | Promise<Admitted> {
    if (this.audience === 'services') return this.admitService(rule, call.metadata);
    if (this.audience === 'agents') return admitNode(rule, call);
    if (!rule.anonymous) throw denied('METHOD_NOT_SERVED_HERE', 'this listener serves enrolment only');
    return ANYONE;
  }

  private admitService(rule: AuthzRule, metadata: Metadata): Admitted | Promise<Admitted> {
    const authorization = header(metadata, 'authorization');
    if (authorization === undefined || !authorization.startsWith(BEARER)) {
      throw unauthenticated('TOKEN_MISSING', 'a service token is required');
    }
    const token = authorization.slice(BEARER.length);
    const callerToken = header(metadata, CALLER_HEADER);
    const service = this.identity.rememberedService(token);
    if (service === undefined) return this.verifyAndAdmit(rule, token, callerToken);
    if (callerToken === undefined) return admitService(rule, service);
    const member = this.identity.rememberedCaller(callerToken);
    return member === undefined
      ? this.verifyAndAdmit(rule, token, callerToken)
      : admitMember(rule, member, callerToken);
  }

  private async verifyAndAdmit(rule: AuthzRule, token: string, callerToken: string | undefined): Promise<Admitted> {
    const service = await this.identity.verifyServiceToken(token);
    if (callerToken === undefined) return admitService(rule, service);
    return admitMember(rule, await this.identity.verifyCallerToken(callerToken), callerToken);
  }
}

function admitService(rule: AuthzRule, service: string): Admitted {
  if (!rule.services.includes(service))
    throw denied('SERVICE_NOT_ALLOWED', `${service} may not call this on its own behalf`);
  return { caller: { kind: 'system', service } };
}

function admitMember(rule: AuthzRule, member: Member, callerToken: string): Admitted {
  if (rule.role === undefined && !rule.operator)
    throw denied('MEMBERS_NOT_ALLOWED', 'this method is for services only');
  if (rule.operator && !member.operator) throw denied('OPERATOR_ONLY', 'this method is for the platform operator');
  if (rule.role !== undefined && !hasRole(member.role, rule.role))
    throw denied('ROLE_TOO_LOW', `the role ${rule.role} is required`);
  if (rule.scope !== undefined && !member.scopes.includes(rule.scope)) {
    throw denied('SCOPE_MISSING', `the key lacks the scope ${rule.scope}`);
  }
  return { caller: member, callerToken };
}

function admitNode(rule: AuthzRule, call: ServerCall): Admitted {
  if (!rule.agents) throw denied('METHOD_NOT_SERVED_HERE', 'this listener serves agents only');
  const certificate = certificateOf(call);
  const node = certificate === undefined ? undefined : nodeIdentityOf(certificate);
  if (node === undefined) throw unauthenticated('CERTIFICATE_INVALID', 'the client certificate names no node');
  return { caller: { kind: 'system', service: 'agent' }, node };
}
