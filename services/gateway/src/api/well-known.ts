import { fromJson, type DescMessage } from '@bufbuild/protobuf';
import type { FoundViolation } from '@daya/kernel';
import type { Json } from './json-violations';

/** Types of google.protobuf that canonical JSON writes as one string, with an example each. */
const EXAMPLES: Readonly<Record<string, string>> = {
  'google.protobuf.Timestamp': '2026-01-31T12:00:00Z',
  'google.protobuf.Duration': '3.5s',
  'google.protobuf.FieldMask': 'displayName,labels',
};
const PREFIX = 'google.protobuf.';
const LENGTH_MAX = 4_096;

export const isWellKnown = (message: DescMessage): boolean => message.typeName.startsWith(PREFIX);

/** The example of a type that JSON writes as a string. Throws a plain Error for one that public protos do not use. */
export function exampleOf(message: DescMessage): string {
  const example = EXAMPLES[message.typeName];
  if (example === undefined) throw new Error(`${message.typeName} has no JSON form here`);
  return example;
}

export function wellKnownViolation(message: DescMessage, value: Json): Omit<FoundViolation, 'field'> | undefined {
  const wrong = { reason: 'MALFORMED' as const, description: `must be written like ${exampleOf(message)}` };
  if (typeof value !== 'string' || value.length > LENGTH_MAX) return wrong;
  try {
    fromJson(message, value);
    return undefined;
  } catch {
    return wrong;
  }
}
