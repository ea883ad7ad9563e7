import type { CallContext } from './call-context';

/** What ts-proto generates for one RPC (`outputServices=grpc-js`). Method syntax, so that every generated one fits. */
export interface MethodDefinition {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  requestSerialize(value: unknown): Buffer;
  requestDeserialize(bytes: Buffer): unknown;
  responseSerialize(value: unknown): Buffer;
  responseDeserialize(bytes: Buffer): unknown;
}

/** A generated `XServiceService`. */
export type ServiceDefinition = Readonly<Record<string, MethodDefinition>>;

export type RequestOf<M extends MethodDefinition> = ReturnType<M['requestDeserialize']>;
export type ResponseOf<M extends MethodDefinition> = ReturnType<M['responseDeserialize']>;

type Incoming<M extends MethodDefinition> = M['requestStream'] extends true
  ? AsyncIterable<RequestOf<M>>
  : RequestOf<M>;
type Outgoing<M extends MethodDefinition> = M['responseStream'] extends true
  ? AsyncIterable<ResponseOf<M>>
  : Promise<ResponseOf<M>>;

/** What a controller implements: one method per RPC of the service, none left out. */
export type GrpcHandlers<D extends ServiceDefinition> = {
  readonly [K in keyof D]: (request: Incoming<D[K]>, context: CallContext) => Outgoing<D[K]>;
};

/** `/daya.x.v1.XService/GetX` → `daya.x.v1.XService`. Throws when the definition is empty. */
export function serviceNameOf(definition: ServiceDefinition): string {
  const [, name] = Object.values(definition)[0]?.path.split('/') ?? [];
  if (name === undefined) throw new Error('a gRPC service without methods');
  return name;
}
