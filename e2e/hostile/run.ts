import { descriptorImage } from '@daya/proto';
import type { Control } from './control';
import { fire, type Answer } from './fire';
import type { Member } from './identities';
import { mutationsOf, type Mutation } from './mutations';
import type { Result } from './report';
import { Schema, type Rpc } from './schema';
import { BROKEN, openSession, sendBroken, type RawAnswer } from './transport';
import type { World } from './world';

/** One RPC that is about to be attacked: its valid request, never sent yet, and what follows it in a stream. */
export interface Target {
  readonly control: Control;
  readonly rpc: Rpc;
  readonly bytes: Uint8Array;
  readonly rest: readonly Uint8Array[];
  readonly member: Member | undefined;
}

export interface ControlResult {
  readonly rpc: string;
  readonly answer: Answer;
}

export interface BrokenResult {
  readonly what: string;
  readonly answer: RawAnswer;
}

const serviceOf = ({ path }: Rpc): string => /^\/daya\.(\w+)\./.exec(path)?.[1] ?? '';

/** Large bodies share a connection's window of 64 KiB: many at once only wait for each other. */
const LARGE_BYTES = 48 * 1_024;
const SMALL_IN_FLIGHT = 24;
const LARGE_IN_FLIGHT = 2;

/** Sends controls and their hostile neighbours to a platform. */
export class Attack {
  readonly schema = new Schema(descriptorImage());

  constructor(private readonly world: World) {}

  /** A fresh valid request of a control. */
  async target(control: Control): Promise<Target> {
    const rpc = this.schema.rpcs.get(control.rpc);
    if (rpc === undefined) throw new Error(`the image has no ${control.rpc}`);
    const bytes = await control.request(this.world).catch((error: unknown) => {
      throw new Error(`the control of ${control.rpc} cannot be built: ${String(error)}`, { cause: error });
    });
    const [rest, member] = [await control.rest(this.world), await control.member(this.world)];
    return { control, rpc, bytes, rest, member };
  }

  /** Sends a target's valid request; every service must accept it. */
  async prove(target: Target): Promise<ControlResult> {
    const answer = await this.send(target, target.bytes);
    await target.control.after(this.world);
    return { rpc: target.control.rpc, answer };
  }

  mutationsOf({ rpc, bytes, control }: Target): Mutation[] {
    return mutationsOf(this.schema, rpc, bytes, control.rules);
  }

  /** Sends every mutation of every target, some at once. */
  async run(targets: readonly Target[]): Promise<Result[]> {
    const results: Result[] = [];
    for (const target of targets.filter(({ control }) => control.exclusive))
      results.push(...(await this.runAlone(target)));
    const shots = targets
      .filter(({ control }) => !control.exclusive)
      .flatMap((target) => this.mutationsOf(target).map((mutation) => ({ target, mutation })));
    const lane = async (queue: typeof shots): Promise<void> => {
      for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
        const { target, mutation } = next;
        results.push({ mutation, answer: await this.send(target, mutation.bytes) });
      }
    };
    const isLarge = ({ mutation }: (typeof shots)[number]): boolean => mutation.bytes.length > LARGE_BYTES;
    const [small, large] = [shots.filter((shot) => !isLarge(shot)), shots.filter(isLarge)];
    await Promise.all([
      ...Array.from({ length: SMALL_IN_FLIGHT }, () => lane(small)),
      ...Array.from({ length: LARGE_IN_FLIGHT }, () => lane(large)),
    ]);
    return results;
  }

  /** Sends every target with what breaks before gRPC looks at the message. */
  async runBroken(targets: readonly Target[]): Promise<BrokenResult[]> {
    const results: BrokenResult[] = [];
    for (const { control, rpc, bytes, rest, member } of targets) {
      const { identities } = this.world;
      const service = serviceOf(rpc);
      const keys = control.as === 'node' ? (await this.world.node()).keys : {};
      const address = identities.address(service, control.as);
      const session = await openSession({ service, address, tls: { ca: identities.ca, ...keys } });
      for (const broken of BROKEN) {
        const metadata = await identities.metadata(service, control.as, member);
        const answer = await sendBroken({ session, path: rpc.path, metadata, messages: [bytes, ...rest] }, broken);
        results.push({ what: `${rpc.path} ${broken.label}`, answer });
      }
      session.close();
    }
    return results;
  }

  private async runAlone(target: Target): Promise<Result[]> {
    const results: Result[] = [];
    for (const mutation of this.mutationsOf(target)) {
      results.push({ mutation, answer: await this.send(target, mutation.bytes) });
    }
    return results;
  }

  private async send({ control, rpc, rest, member }: Target, bytes: Uint8Array): Promise<Answer> {
    const { identities } = this.world;
    const service = serviceOf(rpc);
    const keys = control.as === 'node' ? (await this.world.node()).keys : undefined;
    const metadata = await identities.metadata(service, control.as, member);
    const channel = identities.channel(service, control.as, keys);
    return fire({ channel, rpc, metadata, deadline: identities.deadline(), bytes, rest });
  }
}
