import { BinaryReader } from '@bufbuild/protobuf/wire';
import { FileDescriptorProto } from '@daya/proto/grpc';

/** How a value looks on the wire, as far as a hostile one cares. */
export type FieldKind = 'string' | 'bytes' | 'int32' | 'int64' | 'enum' | 'bool' | 'message';

export interface Field {
  readonly name: string;
  readonly number: number;
  readonly kind: FieldKind;
  readonly repeated: boolean;
  /** A map's entries: `entry` names their message. */
  readonly map: boolean;
  /** Full name of the message or enum; empty for scalars. */
  readonly type: string;
}

export interface Rpc {
  /** `/daya.x.v1.XService/Method`. */
  readonly path: string;
  readonly input: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}

const KINDS: Readonly<Record<string, FieldKind>> = {
  TYPE_STRING: 'string',
  TYPE_BYTES: 'bytes',
  TYPE_INT32: 'int32',
  TYPE_INT64: 'int64',
  TYPE_ENUM: 'enum',
  TYPE_BOOL: 'bool',
  TYPE_MESSAGE: 'message',
};

type MessageDescriptor = FileDescriptorProto['messageType'][number];

/** Every message, enum and RPC of the descriptor image: what hostile requests are made from. */
export class Schema {
  readonly rpcs = new Map<string, Rpc>();
  private readonly messages = new Map<string, readonly Field[]>();
  private readonly mapEntries = new Set<string>();
  private readonly enums = new Map<string, readonly bigint[]>();

  constructor(image: Uint8Array) {
    const files: FileDescriptorProto[] = [];
    const reader = new BinaryReader(image);
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      if (field === 1) files.push(FileDescriptorProto.decode(reader.bytes()));
      else reader.skip(wireType, field);
    }
    const daya = files.filter((file) => /^(daya\.|google\.protobuf$)/.test(file.package ?? ''));
    for (const file of daya) for (const message of file.messageType) this.noteMapEntries(`${file.package}.`, message);
    for (const file of daya) this.addFile(file);
  }

  /** Throws for a message that no proto declares. */
  fieldsOf(message: string): readonly Field[] {
    const fields = this.messages.get(message);
    if (fields === undefined) throw new Error(`the image has no message ${message}`);
    return fields;
  }

  /** The declared numbers of an enum. */
  valuesOf(name: string): readonly bigint[] {
    const values = this.enums.get(name);
    if (values === undefined) throw new Error(`the image has no enum ${name}`);
    return values;
  }

  private noteMapEntries(prefix: string, message: MessageDescriptor): void {
    const name = prefix + (message.name ?? '');
    if (message.options?.mapEntry === true) this.mapEntries.add(name);
    for (const nested of message.nestedType) this.noteMapEntries(`${name}.`, nested);
  }

  private addFile(file: FileDescriptorProto): void {
    const prefix = `${file.package}.`;
    for (const message of file.messageType) this.addMessage(prefix, message);
    for (const one of file.enumType)
      this.enums.set(
        prefix + (one.name ?? ''),
        one.value.map(({ number }) => BigInt(number ?? 0)),
      );
    for (const service of file.service) {
      for (const method of service.method) {
        const path = `/${prefix}${service.name ?? ''}/${method.name ?? ''}`;
        const input = (method.inputType ?? '').slice(1);
        const [requestStream, responseStream] = [method.clientStreaming === true, method.serverStreaming === true];
        this.rpcs.set(path, { path, input, requestStream, responseStream });
      }
    }
  }

  private addMessage(prefix: string, message: MessageDescriptor): void {
    const name = prefix + (message.name ?? '');
    const fields = message.field.flatMap((field): Field[] => {
      const kind = KINDS[field.type ?? ''];
      if (kind === undefined) return [];
      const type = (field.typeName ?? '').slice(1);
      const repeated = field.label === 'LABEL_REPEATED';
      return [
        { name: field.name ?? '', number: field.number ?? 0, kind, repeated, map: this.mapEntries.has(type), type },
      ];
    });
    this.messages.set(name, fields);
    for (const nested of message.nestedType) this.addMessage(`${name}.`, nested);
  }
}
