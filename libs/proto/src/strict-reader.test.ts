import * as fc from 'fast-check';
import { Status, ErrorInfo } from './gen/google';
import { AUTHZ, decodeStrict, descriptorImage } from './index';

const STATUS = Status.encode({
  code: 3,
  message: 'größer',
  details: [{ typeUrl: 'x', value: Buffer.from('abc') }],
}).finish();

test('what was encoded comes back', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.dictionary(fc.string({ minLength: 1 }), fc.string()),
      (reason, metadata) => {
        const info = ErrorInfo.fromPartial({ reason, domain: 'daya', metadata });
        expect(decodeStrict(ErrorInfo, ErrorInfo.encode(info).finish()).reason).toBe(Buffer.from(reason).toString());
      },
    ),
  );
});

test('every truncation that cuts into a field is refused, none crashes', () => {
  for (let end = 1; end < STATUS.length; end += 1) {
    const cut = STATUS.subarray(0, end);
    let decoded: Status | undefined;
    try {
      decoded = decodeStrict(Status, cut);
    } catch (error) {
      expect(error).toBeInstanceOf(Error);
      continue;
    }
    expect(Buffer.from(Status.encode(decoded).finish())).toEqual(Buffer.from(cut));
  }
});

test('bad UTF-8 is refused in short and long strings', () => {
  for (const length of [1, 40, 5_000]) {
    const bytes = Buffer.concat([Buffer.alloc(length, 'a'), Buffer.from([0xc3, 0x28])]);
    const header = Status.encode({ code: 0, message: 'a'.repeat(bytes.length), details: [] }).finish();
    const message = Buffer.concat([header.subarray(0, header.length - bytes.length), bytes]);
    expect(() => decodeStrict(Status, message)).toThrow();
  }
});

test('a nested message may not run past its parent', () => {
  expect(() => decodeStrict(Status, Buffer.from([0x1a, 0x7f, 0x0a, 0x01, 0x61]))).toThrow();
});

test('the image and the authz table hold every Daya RPC', () => {
  expect(descriptorImage().length).toBeGreaterThan(1_000);
  expect(AUTHZ['/daya.registry.v1.OfferService/CreateOffer']).toMatchObject({ role: 'admin', agents: false });
});
