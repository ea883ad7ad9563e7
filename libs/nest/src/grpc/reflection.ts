import { status, type Server, type ServerDuplexStream } from '@grpc/grpc-js';
import { reflectionV1, reflectionV1alpha } from '@daya/proto/grpc';
import { ImageIndex } from './image-index';

type Request = reflectionV1.ServerReflectionRequest;
type Answer = NonNullable<reflectionV1.ServerReflectionResponse['messageResponse']>;

const notFound = (what: string): Answer => ({
  $case: 'errorResponse',
  value: { errorCode: status.NOT_FOUND, errorMessage: `${what} not found` },
});

/** Server reflection, v1 and v1alpha, over the raw bytes of the descriptor image. */
export class Reflection {
  private index: ImageIndex | undefined;

  constructor(
    private readonly image: () => Uint8Array,
    private readonly serviceNames: readonly string[],
  ) {}

  addTo(server: Server): void {
    const serverReflectionInfo = (call: ServerDuplexStream<Request, reflectionV1.ServerReflectionResponse>): void => {
      call.on('data', (request: Request) => {
        call.write({
          validHost: request.host,
          originalRequest: request,
          messageResponse: this.answer(request.messageRequest),
        });
      });
      call.on('end', () => call.end());
    };
    server.addService(reflectionV1.ServerReflectionService, { serverReflectionInfo });
    server.addService(reflectionV1alpha.ServerReflectionService, {
      serverReflectionInfo: serverReflectionInfo as never,
    });
  }

  private answer(request: Request['messageRequest']): Answer {
    this.index ??= new ImageIndex(this.image());
    switch (request?.$case) {
      case 'listServices':
        return { $case: 'listServicesResponse', value: { service: this.serviceNames.map((name) => ({ name })) } };
      case 'fileByFilename':
        return this.files(request.value, request.value);
      case 'fileContainingSymbol':
        return this.files(this.index.fileOfSymbol(request.value), request.value);
      case 'fileContainingExtension': {
        const { containingType, extensionNumber } = request.value;
        return this.files(
          this.index.fileOfExtension(containingType, extensionNumber),
          `${containingType} ${extensionNumber}`,
        );
      }
      case 'allExtensionNumbersOfType': {
        const extensionNumber = this.index.extensionNumbers(request.value);
        if (extensionNumber === undefined) return notFound(request.value);
        return { $case: 'allExtensionNumbersResponse', value: { baseTypeName: request.value, extensionNumber } };
      }
      default:
        return {
          $case: 'errorResponse',
          value: { errorCode: status.INVALID_ARGUMENT, errorMessage: 'an empty request' },
        };
    }
  }

  private files(name: string | undefined, asked: string): Answer {
    const fileDescriptorProto = name === undefined ? undefined : this.index?.withDependencies(name);
    if (fileDescriptorProto === undefined) return notFound(asked);
    return {
      $case: 'fileDescriptorResponse',
      value: { fileDescriptorProto: fileDescriptorProto.map((bytes) => Buffer.from(bytes)) },
    };
  }
}
