import { ScalarType } from '@bufbuild/protobuf';
import type { FoundViolation } from '@daya/kernel';
import type { Json } from './json-violations';

type Violation = Omit<FoundViolation, 'field'>;

const INTEGER = /^-?(?:0|[1-9]\d{0,19})$/;
const FLOAT = /^-?(?:0|[1-9]\d{0,30})(?:\.\d{1,40})?(?:[eE][+-]?\d{1,3})?$/;
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;
const FLOAT_MAX = 3.4028234663852886e38;

const RANGES: Partial<Record<ScalarType, readonly [bigint, bigint]>> = {
  [ScalarType.INT32]: [-(2n ** 31n), 2n ** 31n - 1n],
  [ScalarType.SINT32]: [-(2n ** 31n), 2n ** 31n - 1n],
  [ScalarType.SFIXED32]: [-(2n ** 31n), 2n ** 31n - 1n],
  [ScalarType.UINT32]: [0n, 2n ** 32n - 1n],
  [ScalarType.FIXED32]: [0n, 2n ** 32n - 1n],
  [ScalarType.INT64]: [-(2n ** 63n), 2n ** 63n - 1n],
  [ScalarType.SINT64]: [-(2n ** 63n), 2n ** 63n - 1n],
  [ScalarType.SFIXED64]: [-(2n ** 63n), 2n ** 63n - 1n],
  [ScalarType.UINT64]: [0n, 2n ** 64n - 1n],
  [ScalarType.FIXED64]: [0n, 2n ** 64n - 1n],
};

const wrongType = (what: string): Violation => ({ reason: 'WRONG_TYPE', description: `must be ${what}` });

/** What is wrong with a JSON value for a proto scalar; integers come as numbers or, exact at any size, as strings. */
export function scalarViolation(scalar: ScalarType, value: Json): Violation | undefined {
  const range = RANGES[scalar];
  if (range !== undefined) return integerViolation(value, range);
  switch (scalar) {
    case ScalarType.BOOL:
      return typeof value === 'boolean' ? undefined : wrongType('true or false');
    case ScalarType.STRING:
      return stringViolation(value);
    case ScalarType.BYTES:
      return bytesViolation(value);
    default:
      return floatViolation(value, scalar === ScalarType.FLOAT ? FLOAT_MAX : Number.MAX_VALUE);
  }
}

function integerViolation(value: Json, [min, max]: readonly [bigint, bigint]): Violation | undefined {
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value))
    return { reason: 'NOT_EXACT', description: 'is too large for a JSON number: send it as a string' };
  const isInteger =
    typeof value === 'number' ? Number.isInteger(value) : typeof value === 'string' && INTEGER.test(value);
  if (!isInteger) return wrongType('an integer');
  const exact = BigInt(value as number | string);
  return exact >= min && exact <= max ? undefined : { reason: 'OUT_OF_RANGE', description: `must be ${min} to ${max}` };
}

/** A lone surrogate has no UTF-8. */
function stringViolation(value: Json): Violation | undefined {
  if (typeof value !== 'string') return wrongType('a string');
  const wellFormed = !/[\ud800-\udfff]/u.test(value);
  return wellFormed ? undefined : { reason: 'MALFORMED', description: 'must be well-formed Unicode' };
}

function bytesViolation(value: Json): Violation | undefined {
  if (typeof value !== 'string' || !BASE64.test(value)) return wrongType('base64');
  return value.replace(/=+$/, '').length % 4 === 1 ? wrongType('base64') : undefined;
}

function floatViolation(value: Json, max: number): Violation | undefined {
  if (typeof value !== 'number' && !(typeof value === 'string' && FLOAT.test(value))) return wrongType('a number');
  const inRange = Math.abs(Number(value)) <= max;
  return inRange ? undefined : { reason: 'OUT_OF_RANGE', description: 'is too large' };
}
