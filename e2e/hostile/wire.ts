import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { Field, Schema } from './schema';

/** A message as its fields on the wire, in order. Whatever bytes a peer could send can be written down like this. */
export type Entries = readonly Entry[];
export type Value = bigint | Uint8Array | Entries;
export interface Entry {
  readonly field: Field;
  readonly value: Value;
}

/** Reads a valid message. Packed numbers are unpacked, so that each element can be changed alone. */
export function readMessage(schema: Schema, message: string, bytes: Uint8Array): Entry[] {
  const fields = new Map(schema.fieldsOf(message).map((field) => [field.number, field]));
  const entries: Entry[] = [];
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    const field = fields.get(number);
    if (field === undefined) throw new Error(`${message} has no field ${number}`);
    if (wireType === WireType.Varint) {
      entries.push({ field, value: reader.int64() as bigint });
      continue;
    }
    const raw = reader.bytes();
    if (field.kind === 'message') entries.push({ field, value: readMessage(schema, field.type, raw) });
    else if (field.kind === 'string' || field.kind === 'bytes') entries.push({ field, value: raw });
    else entries.push(...unpack(field, raw));
  }
  return entries;
}

function unpack(field: Field, raw: Uint8Array): Entry[] {
  const reader = new BinaryReader(raw);
  const entries: Entry[] = [];
  while (reader.pos < reader.len) entries.push({ field, value: reader.int64() as bigint });
  return entries;
}

export function writeMessage(entries: Entries): Uint8Array {
  const writer = new BinaryWriter();
  for (const { field, value } of entries) {
    if (typeof value === 'bigint') writer.tag(field.number, WireType.Varint).int64(value);
    else
      writer
        .tag(field.number, WireType.LengthDelimited)
        .bytes(value instanceof Uint8Array ? value : writeMessage(value));
  }
  return writer.finish();
}

export const text = (value: string): Uint8Array => Buffer.from(value, 'utf8');
