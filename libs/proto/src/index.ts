export { AUTHZ } from './gen/authz';
export { SCOPES } from './scopes';
export type { AuthzRule } from './authz-rule';
export { descriptorImage } from './image';
export { decodeStrict, StrictReader, type MessageDecoder } from './strict-reader';
export { fromTimestamp, toTimestamp } from './timestamps';
