import { status, type Server, type ServerDuplexStream } from '@grpc/grpc-js';
import { ImageIndex } from '@daya/nest';
import { descriptorImage } from '@daya/proto';
import { reflectionV1, reflectionV1alpha } from '@daya/proto/grpc';

type Request = reflectionV1.ServerReflectionRequest;
type Response = reflectionV1.ServerReflectionResponse;
type Answer = NonNullable<Response['messageResponse']>;

const refusal = (errorCode: number, errorMessage: string): Answer => ({
  $case: 'errorResponse',
  value: { errorCode, errorMessage },
});
const notFound = (what: string): Answer => refusal(status.NOT_FOUND, `${what} not found`);

/** Server reflection of the services that partners may call, v1 and v1alpha. */
export function addReflection(server: Server, serviceNames: readonly string[]): void {
  const index = new ImageIndex(descriptorImage());
  const serverReflectionInfo = (call: ServerDuplexStream<Request, Response>): void => {
    call.on('data', (request: Request) => {
      const messageResponse = answer(index, serviceNames, request.messageRequest);
      call.write({ validHost: request.host, originalRequest: request, messageResponse });
    });
    call.on('end', () => call.end());
    call.on('error', () => undefined);
  };
  server.addService(reflectionV1.ServerReflectionService, { serverReflectionInfo });
  server.addService(reflectionV1alpha.ServerReflectionService, { serverReflectionInfo: serverReflectionInfo as never });
}

function answer(index: ImageIndex, serviceNames: readonly string[], asked: Request['messageRequest']): Answer {
  switch (asked?.$case) {
    case 'listServices':
      return { $case: 'listServicesResponse', value: { service: serviceNames.map((name) => ({ name })) } };
    case 'fileByFilename':
      return files(index, asked.value, asked.value);
    case 'fileContainingSymbol':
      return files(index, index.fileOfSymbol(asked.value), asked.value);
    case 'fileContainingExtension': {
      const { containingType, extensionNumber } = asked.value;
      return files(
        index,
        index.fileOfExtension(containingType, extensionNumber),
        `${containingType} ${extensionNumber}`,
      );
    }
    case 'allExtensionNumbersOfType': {
      const extensionNumber = index.extensionNumbers(asked.value);
      if (extensionNumber === undefined) return notFound(asked.value);
      return { $case: 'allExtensionNumbersResponse', value: { baseTypeName: asked.value, extensionNumber } };
    }
    default:
      return refusal(status.INVALID_ARGUMENT, 'an empty request');
  }
}

function files(index: ImageIndex, name: string | undefined, asked: string): Answer {
  const found = name === undefined ? undefined : index.withDependencies(name);
  if (found === undefined) return notFound(asked);
  return { $case: 'fileDescriptorResponse', value: { fileDescriptorProto: found.map((bytes) => Buffer.from(bytes)) } };
}
