export * from './client';
export * from './config';
export {
  provide,
  provideAs,
  provideValue,
  provideWith,
  SystemClock,
  token,
  UuidV7Generator,
  type Token,
} from './provide';
export { LOGGER } from './platform-module';
export { runService, type RunningService, type ServiceOptions, type Startable } from './run-service';
export { type CallContext } from './grpc/call-context';
export { type GrpcHandlers, type RequestOf, type ResponseOf, type ServiceDefinition } from './grpc/definition';
export { CODE_BY_KIND, KIND_BY_CODE, readDetails, STATUS_DETAILS_KEY, toStatus } from './grpc/errors';
export { type Audience } from './grpc/gate';
export { GrpcService } from './grpc/grpc-service';
export { LIVENESS_NAME } from './grpc/health';
export { ImageIndex } from './grpc/image-index';
export { DEFAULT_MAX_REQUEST_BYTES, type ListenerOptions } from './grpc/listener';
export { nodeIdentityOf, serverCredentials, type NodeIdentity } from './identity/tls';
export { createLogger, type Logger } from './telemetry/logger';
export { metrics } from './telemetry/metrics';
export { parentContext, traceparent, tracer, withSpan, withTraceparent } from './telemetry/trace-context';
export { startTracing } from './telemetry/tracing';
