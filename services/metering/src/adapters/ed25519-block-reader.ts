import { verify } from 'node:crypto';
import { DomainError } from '@daya/kernel';
import { ed25519PublicKey } from '@daya/pki';
import { decodeStrict } from '@daya/proto';
import { UsageBlock } from '@daya/proto/dispatch';
import { BlockReader, type SignedBlock } from '../application/ports';
import type { Tick } from '../domain/tick';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Signed bytes as they came: what is verified is what is read. */
export class Ed25519BlockReader extends BlockReader {
  override verify({ block, signature }: SignedBlock, publicKey: Uint8Array): boolean {
    return signature.length === 64 && verify(null, block, ed25519PublicKey(publicKey), signature);
  }

  override read({ nodeId, block, receiveMs }: SignedBlock): Tick[] {
    const { bootId, firstSequence, ticks } = decode(block, nodeId);
    return ticks.map(({ leaseId, leaseToken, cumulativeMs, final }, index) => ({
      nodeId,
      bootId,
      sequence: firstSequence + BigInt(index),
      leaseId,
      leaseToken,
      cumulativeMs,
      final,
      receiveMs,
    }));
  }
}

function decode(block: Uint8Array, nodeId: string): UsageBlock {
  try {
    const decoded = decodeStrict(UsageBlock, block);
    if (decoded.nodeId !== nodeId) throw new Error('the block names another node');
    if (!UUID.test(decoded.bootId) || decoded.firstSequence < 0n) throw new Error('the block has no place');
    if (decoded.ticks.some((tick) => !UUID.test(tick.leaseId) || tick.cumulativeMs < 0n))
      throw new Error('a tick has no lease');
    return decoded;
  } catch (error) {
    throw new DomainError('invalid', 'BLOCK_NOT_DECODABLE', (error as Error).message);
  }
}
