import { ARTIFACT_PATH_BYTES_MAX } from './limits';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const SHA256 = /^[0-9a-f]{64}$/;
const REASON = /^[A-Z][A-Z0-9_]{0,63}$/;

/** Lower case only, so that one id has one spelling; ids also name files. */
export const isUuid = (text: string): boolean => UUID.test(text);

/** 64 lower-case hexadecimal digits; nothing else ever becomes a file name of the store. */
export const isSha256 = (text: string): boolean => SHA256.test(text);

export const isReason = (text: string): boolean => REASON.test(text);

/** A relative path of plain names: no climbing, no root, nothing that could break a log or a header. */
export function isArtifactPath(path: string): boolean {
  if (path === '' || new TextEncoder().encode(path).length > ARTIFACT_PATH_BYTES_MAX || /[\p{Cc}\p{Cs}\\]/u.test(path)) return false;
  return path.split('/').every((name) => name !== '' && name !== '.' && name !== '..');
}
