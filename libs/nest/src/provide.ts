import { randomBytes } from 'node:crypto';
import type { FactoryProvider } from '@nestjs/common';
import { Clock, IdGenerator } from '@daya/kernel';

type Constructor<T, Arguments extends readonly unknown[]> = new (...args: Arguments) => T;
type Port<T> = abstract new (...args: never[]) => T;

/** A name for what has no class of its own, typed by what it stands for. Make one with `token`. */
export type Token<T> = symbol & {
  /** Never set: it carries the type only. */
  readonly holds?: T;
};

/** `const RATES = token<RateTable>('RATES')`. Two tokens with the same name are two tokens. */
export const token = <T>(name: string): Token<T> => Symbol(name);

export type Dependency<T> = Port<T> | Token<T>;
export type Dependencies<Arguments extends readonly unknown[]> = {
  readonly [K in keyof Arguments]: Dependency<Arguments[K]>;
};
/** The other way round: what a list of classes and tokens stands for. */
export type Resolved<D extends readonly Dependency<unknown>[]> = {
  [K in keyof D]: D[K] extends Port<infer T> ? T : D[K] extends Token<infer T> ? T : never;
};

/** Binds a class whose constructor arguments are looked up in this order; the compiler checks order and types. */
export function provide<T, Arguments extends readonly unknown[]>(
  useClass: Constructor<T, Arguments>,
  dependencies: Dependencies<Arguments>,
): FactoryProvider<T> {
  return provideAs<T, T, Arguments>(useClass as unknown as Port<T>, useClass, dependencies);
}

/** Like `provide`, under the port or token that others ask for. */
export function provideAs<P, T extends P, Arguments extends readonly unknown[]>(
  port: Dependency<P>,
  useClass: Constructor<T, Arguments>,
  dependencies: Dependencies<Arguments>,
): FactoryProvider<T> {
  return {
    provide: port as never,
    inject: [...(dependencies as readonly never[])],
    useFactory: (...args: unknown[]) => new useClass(...(args as unknown as Arguments)),
  };
}

/** Binds a ready value. */
export function provideValue<T>(port: Dependency<T>, value: T): { provide: never; useValue: T } {
  return { provide: port as never, useValue: value };
}

/** Binds what a function makes of its dependencies. */
export function provideWith<T, Arguments extends readonly unknown[]>(
  port: Dependency<T>,
  make: (...args: Arguments) => T | Promise<T>,
  dependencies: Dependencies<Arguments>,
): FactoryProvider<T> {
  return {
    provide: port as never,
    inject: [...(dependencies as readonly never[])],
    useFactory: (...args: unknown[]) => make(...(args as unknown as Arguments)),
  };
}

export class SystemClock extends Clock {
  now(): Date {
    return new Date();
  }
}

/** RFC 9562 version 7: 48 bits of Unix milliseconds, then 74 random bits. Ids of one millisecond are in no order. */
export class UuidV7Generator extends IdGenerator {
  constructor(private readonly clock: Clock = new SystemClock()) {
    super();
  }

  next(): string {
    const bytes = randomBytes(16);
    bytes.writeUIntBE(this.clock.now().getTime(), 0, 6);
    bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6);
    bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
    const hex = bytes.toString('hex');
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }
}
