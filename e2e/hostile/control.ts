import type { RequestOf, ServiceDefinition } from '@daya/nest';
import type { Member } from './identities';
import type { Rules } from './mutations';
import type { World } from './world';

/** Who makes a call: a member through the gateway, a service on its own behalf, a node, or a stranger. */
export type Who =
  'customer' | 'provider' | 'operator' | 'gateway' | 'registry' | 'scheduler' | 'dispatch' | 'node' | 'nobody';

/** A valid request of one RPC and what each of its fields must be. */
export interface Control {
  readonly rpc: string;
  readonly as: Who;
  /** The member who calls, where `as` alone does not say. */
  member(world: World): Promise<Member | undefined>;
  /** A valid request that was not sent before. */
  request(world: World): Promise<Uint8Array>;
  readonly rules: Rules;
  /** Messages that follow the first one of a stream. */
  rest(world: World): Promise<readonly Uint8Array[]>;
  /** Its calls push each other out: one by one. */
  readonly exclusive: boolean;
  /** Undoes what an accepted control started, so that the platform falls quiet. */
  after(world: World): Promise<void>;
}

type Method = ServiceDefinition[string];

interface Options<R> {
  readonly as: Who;
  member?(world: World): Promise<Member>;
  request(world: World): R | Promise<R>;
  readonly rules?: Rules;
  rest?(world: World): readonly R[] | Promise<readonly R[]>;
  readonly exclusive?: boolean;
  after?(world: World): Promise<void>;
}

/** The control of one RPC; its request is the generated type's own. */
export function control<M extends Method>(method: M, options: Options<RequestOf<M>>): Control {
  return {
    rpc: method.path,
    as: options.as,
    member: (world) => options.member?.(world) ?? world.member(options.as),
    request: async (world) => method.requestSerialize(await options.request(world)),
    rules: options.rules ?? {},
    rest: async (world) => ((await options.rest?.(world)) ?? []).map((message) => method.requestSerialize(message)),
    exclusive: options.exclusive ?? false,
    after: async (world) => options.after?.(world),
  };
}
