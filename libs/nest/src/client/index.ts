export { GrpcCallError, toDomainError } from './call-error';
export { createClient, type ClientOptions, type GrpcClient } from './create-client';
export { DEFAULT_DEADLINE_MS, type CallOptions, type ParentCall } from './call-options';
export { channelCredentials, loadTls, type TlsFiles } from '../identity/tls';
export { Identity, type Member } from '../identity/identity';
