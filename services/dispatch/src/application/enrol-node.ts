import { DomainError, refuseInvalid, type Clock } from '@daya/kernel';
import type { RateLimit } from '../domain/rate-limit';
import { brokenRules, countRule, lengthRule, uuidRule } from '../domain/shapes';
import type { Enrolment, Registry, Renewal } from './ports';

const CERTIFICATE_REQUEST_BYTES_MAX = 8_192;
const TOKEN_LENGTH_MAX = 512;
const SIGNATURE_BYTES = 64;

/**
 * Relays certificate requests of machines that nobody knows yet to registry, which decides. Each address has its own rate;
 * what is malformed does not get that far.
 */
export class EnrolNode {
  constructor(
    private readonly registry: Registry,
    private readonly rate: RateLimit,
    private readonly clock: Clock,
    readonly agentAddress: string,
  ) {}

  /** Throws `exhausted` RATE_LIMITED, `invalid` INVALID_FIELDS, and registry's refusals. */
  enrol(address: string, token: string, certificateRequest: Uint8Array): Promise<Enrolment> {
    this.refuseFast(address);
    refuseInvalid(
      brokenRules([lengthRule('token', token.length, 1, TOKEN_LENGTH_MAX), requestRule(certificateRequest)]),
    );
    return this.registry.enrol(token, certificateRequest);
  }

  /** Throws like `enrol`. */
  renew(address: string, renewal: Renewal): ReturnType<Registry['renew']> {
    this.refuseFast(address);
    refuseInvalid(brokenRules(renewalRules(renewal)));
    return this.registry.renew(renewal);
  }

  private refuseFast(address: string): void {
    const waitMs = this.rate.take(address, this.clock.now().getTime());
    if (waitMs === 0) return;
    throw new DomainError('exhausted', 'RATE_LIMITED', 'too many requests from this address', {
      retry_after_ms: String(waitMs),
    });
  }
}

const requestRule = (request: Uint8Array) =>
  lengthRule('certificate_request', request.length, 1, CERTIFICATE_REQUEST_BYTES_MAX);

const renewalRules = ({ nodeId, generation, certificateRequest, signature }: Renewal) => [
  uuidRule('node_id', nodeId),
  countRule('generation', generation, 1),
  requestRule(certificateRequest),
  lengthRule('signature', signature.length, SIGNATURE_BYTES, SIGNATURE_BYTES),
];
