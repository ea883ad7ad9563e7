import { fromBinary, toJson, type DescMessage } from '@bufbuild/protobuf';
import type { Json } from './json-violations';

/**
 * A reply's bytes as canonical proto JSON: int64 as strings, enums by name, times as RFC 3339. Fields with their default
 * value are there, so that a front end finds every field always. Throws a plain Error when the bytes do not decode.
 */
export const toReplyJson = (message: DescMessage, bytes: Uint8Array): Json =>
  toJson(message, fromBinary(message, bytes), { alwaysEmitImplicit: true }) as Json;
