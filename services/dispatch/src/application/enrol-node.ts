import { DomainError, refuseInvalid, type Clock, type FieldViolation } from '@daya/kernel';
import type { RateLimit } from '../domain/rate-limit';
import { isUuid } from '../domain/shapes';
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
    refuseInvalid([...tokenViolations(token), ...requestViolations(certificateRequest)]);
    return this.registry.enrol(token, certificateRequest);
  }

  /** Throws like `enrol`. */
  renew(address: string, renewal: Renewal): ReturnType<Registry['renew']> {
    this.refuseFast(address);
    refuseInvalid(renewalViolations(renewal));
    return this.registry.renew(renewal);
  }

  private refuseFast(address: string): void {
    const waitMs = this.rate.take(address, this.clock.now().getTime());
    if (waitMs === 0) return;
    throw new DomainError('exhausted', 'RATE_LIMITED', 'too many requests from this address', { retry_after_ms: String(waitMs) });
  }
}

const tokenViolations = (token: string): FieldViolation[] =>
  token.length >= 1 && token.length <= TOKEN_LENGTH_MAX
    ? []
    : [{ field: 'token', reason: 'LENGTH_OUT_OF_RANGE', description: `must have 1 to ${TOKEN_LENGTH_MAX} characters` }];

const requestViolations = ({ length }: Uint8Array): FieldViolation[] =>
  length >= 1 && length <= CERTIFICATE_REQUEST_BYTES_MAX
    ? []
    : [
        {
          field: 'certificate_request',
          reason: 'LENGTH_OUT_OF_RANGE',
          description: `must have 1 to ${CERTIFICATE_REQUEST_BYTES_MAX} bytes`,
        },
      ];

function renewalViolations({ nodeId, generation, certificateRequest, signature }: Renewal): FieldViolation[] {
  return [
    ...(isUuid(nodeId) ? [] : [{ field: 'node_id', reason: 'NOT_A_UUID', description: 'must be a UUID' }]),
    ...(generation >= 1 ? [] : [{ field: 'generation', reason: 'OUT_OF_RANGE', description: 'must be 1 or more' }]),
    ...requestViolations(certificateRequest),
    ...(signature.length === SIGNATURE_BYTES
      ? []
      : [{ field: 'signature', reason: 'LENGTH_OUT_OF_RANGE', description: `must have ${SIGNATURE_BYTES} bytes` }]),
  ];
}
