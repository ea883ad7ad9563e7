import { createPrivateKey, createPublicKey, sign, verify, type JsonWebKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { PricedQuote as ProtoPricedQuote } from '@daya/proto/billing';
import { QuoteSigner, type SignedQuote } from '../application/ports';
import type { PricedQuote } from '../domain/quote';
import { toProtoQuote } from './proto/messages';

/**
 * Ed25519 with the service's identity key over the quote's protobuf bytes without the signature, fields in the order of their
 * numbers. They never look like what else this key signs: a JWT starts with `eyJ`, these bytes with the tag of field 1.
 */
export class Ed25519QuoteSigner extends QuoteSigner {
  private readonly privateKey: KeyObject;
  private readonly publicKey: KeyObject;

  /** Throws when the file is missing or holds no private Ed25519 JWK. */
  constructor(keyFile: string) {
    super();
    this.privateKey = createPrivateKey({ format: 'jwk', key: JSON.parse(readFileSync(keyFile, 'utf8')) as JsonWebKey });
    this.publicKey = createPublicKey(this.privateKey);
  }

  override sign(quote: PricedQuote): Uint8Array {
    return sign(null, signedBytes(quote), this.privateKey);
  }

  override verify(quote: SignedQuote): boolean {
    return verify(null, signedBytes(quote), this.publicKey, quote.signature);
  }
}

const signedBytes = (quote: PricedQuote): Uint8Array =>
  ProtoPricedQuote.encode(toProtoQuote(quote, new Uint8Array())).finish();
