import { FakeTime } from '../test/fake-time';
import { provide, token, UuidV7Generator } from './provide';

class Engine {
  readonly power = 1;
}
class Car {
  constructor(
    readonly engine: Engine,
    readonly name: string,
  ) {}
}
const NAME = token<string>('NAME');

test('provide builds the class from its dependencies, in order', () => {
  const provider = provide(Car, [Engine, NAME]);
  expect(provider.inject).toEqual([Engine, NAME]);
  expect(provider.useFactory(new Engine(), 'x')).toEqual(new Car(new Engine(), 'x'));
});

test('the compiler refuses a wrong order and a missing dependency', () => {
  // @ts-expect-error the name comes second
  provide(Car, [NAME, Engine]);
  // @ts-expect-error the name is missing
  expect(provide(Car, [Engine]).inject).toHaveLength(1);
});

test('ids are version 7, unique, and sorted by time', () => {
  const time = new FakeTime();
  const generator = new UuidV7Generator(time);
  const ids = Array.from({ length: 1_000 }, () => {
    time.ms += 1;
    return generator.next();
  });
  expect(new Set(ids).size).toBe(1_000);
  expect([...ids].sort()).toEqual(ids);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
