import { createPublicKey, sign, type KeyObject } from 'node:crypto';

const tlv = (tag: number, ...parts: Uint8Array[]): Buffer => {
  const body = Buffer.concat(parts);
  const length = body.length < 128 ? [body.length] : [0x82, body.length >> 8, body.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
};
const [SEQUENCE, SET, INTEGER, OBJECT_ID, UTF8, BIT_STRING, ATTRIBUTES] = [
  0x30, 0x31, 0x02, 0x06, 0x0c, 0x03, 0xa0,
] as const;
const COMMON_NAME = Buffer.from([0x55, 0x04, 0x03]);
const ED25519 = tlv(SEQUENCE, tlv(OBJECT_ID, Buffer.from([0x2b, 0x65, 0x70])));

/** A PKCS #10 request (DER) for an Ed25519 key, as an agent sends it when it enrols. */
export function certificateRequest(key: KeyObject): Buffer {
  const name = tlv(SEQUENCE, tlv(SET, tlv(SEQUENCE, tlv(OBJECT_ID, COMMON_NAME), tlv(UTF8, Buffer.from('daya-node')))));
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const info = tlv(SEQUENCE, tlv(INTEGER, Buffer.from([0])), name, publicKey, tlv(ATTRIBUTES));
  const signature = sign(null, info, key);
  return tlv(SEQUENCE, info, ED25519, tlv(BIT_STRING, Buffer.from([0]), signature));
}
