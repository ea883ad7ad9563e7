import type { Clock } from '@daya/kernel';
import { blockSettled } from '../domain/agent-session';
import { faultOfBlock, lastSequenceOf } from '../domain/block-rules';
import type { SignedBlock } from '../domain/frames';
import { BLOCK_BYTES_OUTSTANDING_MAX } from '../domain/limits';
import type { AgentStream } from './agent-stream';
import type { Certificates } from './certificates';
import type { Blocks, Counters, UsageTopic } from './ports';

/**
 * Puts a signed usage block into Kafka and acknowledges it when Kafka has. A block that is dropped, for a bad signature or
 * because too much waits for Kafka, is not acknowledged: the agent keeps it in its spool and sends it again.
 */
export class ForwardUsage {
  private bytesOutstanding = 0;

  constructor(
    private readonly certificates: Certificates,
    private readonly blocks: Blocks,
    private readonly topic: UsageTopic,
    private readonly counters: Counters,
    private readonly clock: Clock,
  ) {}

  async execute(stream: AgentStream, signed: SignedBlock): Promise<void> {
    const receiveTime = this.clock.now();
    const bytes = signed.block.length + signed.signature.length;
    this.bytesOutstanding += bytes;
    try {
      await this.forward(stream, signed, receiveTime);
    } finally {
      this.bytesOutstanding -= bytes;
      stream.session = blockSettled(stream.session);
    }
  }

  private async forward(stream: AgentStream, signed: SignedBlock, receiveTime: Date): Promise<void> {
    const drop = (reason: string): void => this.counters.dropped('usage', reason);
    if (this.bytesOutstanding > BLOCK_BYTES_OUTSTANDING_MAX) return drop('KAFKA_BEHIND');
    const { nodeId } = stream;
    const summary = this.blocks.summary(signed.block);
    const fault = faultOfBlock(summary, nodeId);
    if (summary === undefined || fault !== undefined) return drop(fault ?? 'BLOCK_NOT_DECODABLE');
    if (signed.generation < 1 || signed.generation > stream.node.generation) return drop('GENERATION_UNKNOWN');
    const publicKey = await this.certificates.publicKey(nodeId, signed.generation);
    if (!this.blocks.isSigned(signed, publicKey)) return drop('SIGNATURE_INVALID');
    await this.topic.publish({ nodeId, receiveTime, signed });
    stream.send({ kind: 'usage-ack', bootId: summary.bootId, lastSequence: lastSequenceOf(summary) });
  }
}
