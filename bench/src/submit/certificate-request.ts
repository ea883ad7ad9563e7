import { createPublicKey, sign, type KeyObject } from 'node:crypto';

const TAG = { integer: 0x02, bitString: 0x03, objectId: 0x06, utf8: 0x0c, sequence: 0x30, set: 0x31, attributes: 0xa0 };
const ED25519 = Buffer.from([0x2b, 0x65, 0x70]);
const COMMON_NAME = Buffer.from([0x55, 0x04, 0x03]);

/** A PKCS #10 request (DER) for an Ed25519 key. Its subject does not count: the platform decides the name. */
export function certificateRequest(key: KeyObject): Buffer {
  const name = der(
    TAG.sequence,
    der(TAG.set, der(TAG.sequence, der(TAG.objectId, COMMON_NAME), der(TAG.utf8, Buffer.from('daya-node')))),
  );
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const info = der(TAG.sequence, der(TAG.integer, Buffer.of(0)), name, publicKey, der(TAG.attributes));
  const algorithm = der(TAG.sequence, der(TAG.objectId, ED25519));
  return der(TAG.sequence, info, algorithm, der(TAG.bitString, Buffer.of(0), sign(null, info, key)));
}

function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const length = content.length < 0x80 ? [content.length] : [0x82, content.length >> 8, content.length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...length), content]);
}
