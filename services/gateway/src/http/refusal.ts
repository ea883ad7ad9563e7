import type { FieldViolation } from '@daya/kernel';

interface More {
  readonly headers?: Readonly<Record<string, string>>;
  readonly violations?: readonly FieldViolation[];
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A request that ends at the edge for a reason that only HTTP knows. */
export class HttpRefusal extends Error {
  readonly headers: Readonly<Record<string, string>>;
  readonly violations: readonly FieldViolation[];
  readonly metadata: Readonly<Record<string, string>>;

  constructor(
    readonly status: number,
    /** UPPER_SNAKE, stable. */
    readonly reason: string,
    message: string,
    { headers = {}, violations = [], metadata = {} }: More = {},
  ) {
    super(message);
    this.name = 'HttpRefusal';
    this.headers = headers;
    this.violations = violations;
    this.metadata = metadata;
  }
}
