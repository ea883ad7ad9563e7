import { BinaryReader } from '@bufbuild/protobuf/wire';

/** Refuses what the protobuf specification forbids but the stock reader repairs in silence: strings that are not UTF-8. */
export class StrictReader extends BinaryReader {
  override string(): string {
    return super.string(true);
  }
}

/** What generated code offers for reading: every ts-proto message type has it. */
export interface MessageDecoder<T> {
  decode(input: BinaryReader | Uint8Array, length?: number): T;
}

/** Decodes one whole message. Throws an Error on truncated bytes, bad UTF-8, bad tags and bytes left over. */
export function decodeStrict<T>(type: MessageDecoder<T>, bytes: Uint8Array): T {
  const reader = new StrictReader(bytes);
  const message = type.decode(reader);
  if (reader.pos !== reader.len) throw new RangeError('a nested message runs past the end of its parent');
  return message;
}
