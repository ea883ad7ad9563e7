import { BinaryReader } from '@bufbuild/protobuf/wire';
import { FileDescriptorProto } from '@daya/proto/grpc';

interface ImageFile {
  readonly name: string;
  readonly dependencies: readonly string[];
  /** As buf wrote them: decoding and encoding again would drop custom options. */
  readonly bytes: Uint8Array;
}

type Named = { readonly name?: string | undefined };
type Message = Named & {
  readonly nestedType: readonly Message[];
  readonly enumType: readonly Named[];
  readonly field: readonly Named[];
  readonly extension: readonly Extension[];
};
type Extension = Named & { readonly extendee?: string | undefined; readonly number?: number | undefined };

/** Finds files of a descriptor image by name, symbol or extension. */
export class ImageIndex {
  private readonly files = new Map<string, ImageFile>();
  private readonly symbols = new Map<string, string>();
  private readonly extensions = new Map<string, Map<number, string>>();

  constructor(image: Uint8Array) {
    const reader = new BinaryReader(image);
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      if (field === 1) this.addFile(reader.bytes());
      else reader.skip(wireType, field);
    }
  }

  /** The file and everything it imports; undefined when there is no such file. */
  withDependencies(name: string): Uint8Array[] | undefined {
    if (!this.files.has(name)) return undefined;
    const found = new Map<string, Uint8Array>();
    const visit = (one: string): void => {
      const file = this.files.get(one);
      if (file === undefined || found.has(one)) return;
      found.set(one, file.bytes);
      file.dependencies.forEach(visit);
    };
    visit(name);
    return [...found.values()];
  }

  fileOfSymbol(symbol: string): string | undefined {
    return this.symbols.get(symbol);
  }

  fileOfExtension(type: string, number: number): string | undefined {
    return this.extensions.get(type)?.get(number);
  }

  /** Undefined when nothing extends the type and the type itself is unknown. */
  extensionNumbers(type: string): number[] | undefined {
    const numbers = this.extensions.get(type);
    if (numbers === undefined) return this.symbols.has(type) ? [] : undefined;
    return [...numbers.keys()];
  }

  private addFile(bytes: Uint8Array): void {
    const file = FileDescriptorProto.decode(bytes);
    const name = file.name ?? '';
    this.files.set(name, { name, dependencies: file.dependency, bytes });
    const prefix = file.package === undefined || file.package === '' ? '' : `${file.package}.`;
    const add = (symbol: string): unknown => this.symbols.set(symbol, name);
    for (const message of file.messageType) this.addMessage(prefix, message, name);
    for (const one of file.enumType) add(prefix + (one.name ?? ''));
    for (const extension of file.extension) this.addExtension(prefix, extension, name);
    for (const service of file.service) {
      add(prefix + (service.name ?? ''));
      for (const method of service.method) add(`${prefix}${service.name ?? ''}.${method.name ?? ''}`);
    }
  }

  private addMessage(prefix: string, message: Message, file: string): void {
    const name = prefix + (message.name ?? '');
    this.symbols.set(name, file);
    for (const field of message.field) this.symbols.set(`${name}.${field.name ?? ''}`, file);
    for (const one of message.enumType) this.symbols.set(`${name}.${one.name ?? ''}`, file);
    for (const extension of message.extension) this.addExtension(`${name}.`, extension, file);
    for (const nested of message.nestedType) this.addMessage(`${name}.`, nested, file);
  }

  private addExtension(prefix: string, extension: Extension, file: string): void {
    this.symbols.set(prefix + (extension.name ?? ''), file);
    const type = (extension.extendee ?? '').replace(/^\./, '');
    const numbers = this.extensions.get(type) ?? new Map<number, string>();
    this.extensions.set(type, numbers.set(extension.number ?? 0, file));
  }
}
