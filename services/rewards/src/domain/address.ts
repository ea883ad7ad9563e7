import { keccak_256 } from '@noble/hashes/sha3.js';
import { bytesToHex } from '@noble/hashes/utils.js';

const ADDRESS = /^0x[0-9a-fA-F]{40}$/;

export const isAddress = (text: string): boolean => ADDRESS.test(text);

/** The address of an account that declared none: the last 20 bytes of keccak-256 over its id's UTF-8 bytes. */
export const derivedAddress = (account: string): string =>
  `0x${bytesToHex(keccak_256(new TextEncoder().encode(account)).subarray(12))}`;
