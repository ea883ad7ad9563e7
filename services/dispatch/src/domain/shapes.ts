import { isUuid, type FieldReason, type FoundViolation } from '@daya/kernel';
import { ARTIFACT_PATH_BYTES_MAX } from './limits';

const SHA256 = /^[0-9a-f]{64}$/;
const REASON = /^[A-Z][A-Z0-9_]{0,63}$/;

/** 64 lower-case hexadecimal digits; nothing else ever becomes a file name of the store. */
export const isSha256 = (text: string): boolean => SHA256.test(text);

export const isReason = (text: string): boolean => REASON.test(text);

/** A relative path of plain names: no climbing, no root, nothing that could break a log or a header. */
export function isArtifactPath(path: string): boolean {
  if (path === '' || new TextEncoder().encode(path).length > ARTIFACT_PATH_BYTES_MAX || /[\p{Cc}\p{Cs}\\]/u.test(path))
    return false;
  return path.split('/').every((name) => name !== '' && name !== '.' && name !== '..');
}

type Rule = readonly [field: string, isFine: boolean, reason: FieldReason, description: string];

/** The violations of those rules that do not hold. */
export const brokenRules = (rules: readonly Rule[]): FoundViolation[] =>
  rules.flatMap(([field, isFine, reason, description]) => (isFine ? [] : [{ field, reason, description }]));

export const uuidRule = (field: string, value: string): Rule => [
  field,
  isUuid(value),
  'MALFORMED',
  'must be a lower-case UUID',
];
export const sha256Rule = (field: string, value: string): Rule => [
  field,
  isSha256(value),
  'MALFORMED',
  'must be 64 lower-case hexadecimal digits',
];
/** NaN is what a count becomes that no file can have. */
export const countRule = (field: string, value: number, least = 0): Rule => [
  field,
  Number.isSafeInteger(value) && value >= least,
  'OUT_OF_RANGE',
  `must be ${least} or more`,
];
export const tokenRule = (field: string, value: bigint): Rule => [
  field,
  value > 0n,
  'OUT_OF_RANGE',
  'must be 1 or more',
];
export const lengthRule = (field: string, length: number, least: number, most: number): Rule => [
  field,
  length >= least && length <= most,
  length === 0 ? 'REQUIRED' : length > most ? 'TOO_LONG' : 'MALFORMED',
  `must have a length of ${least} to ${most}`,
];
