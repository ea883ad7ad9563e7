import { verify } from 'node:crypto';
import { ed25519PublicKey } from '@daya/pki';
import { StrictReader } from '@daya/proto';
import { UsageBlock } from '@daya/proto/dispatch';
import { Blocks } from '../application/ports';
import type { BlockSummary, SignedBlock } from '../domain/frames';

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

export class ProtoBlocks extends Blocks {
  override summary(block: Uint8Array): BlockSummary | undefined {
    try {
      const { nodeId, bootId, firstSequence, ticks } = UsageBlock.decode(new StrictReader(block));
      return { nodeId, bootId, firstSequence, tickCount: ticks.length };
    } catch {
      return undefined;
    }
  }

  override isSigned({ block, signature }: SignedBlock, publicKey: Uint8Array): boolean {
    if (publicKey.length !== KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
    return verify(null, block, ed25519PublicKey(publicKey), signature);
  }
}
