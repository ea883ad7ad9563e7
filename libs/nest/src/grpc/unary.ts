import type { handleUnaryCall, sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js';
import { DomainError } from '@daya/kernel';
import { CallRecord, decodeRequest, type BoundMethod } from './bound-method';
import { GrpcCallContext } from './call-context';

/** Deadline, size, shape, identity, rule, handler, answer: one function, no interceptors, one catch. */
export function unaryHandler(method: BoundMethod): handleUnaryCall<Buffer, Buffer> {
  return (call, callback) => {
    const record = new CallRecord(method, call);
    void record.run(() => answer(method, call, record, callback));
  };
}

async function answer(
  method: BoundMethod,
  call: ServerUnaryCall<Buffer, Buffer>,
  record: CallRecord,
  callback: sendUnaryData<Buffer>,
): Promise<void> {
  let context: GrpcCallContext | undefined;
  try {
    requireDeadline(call);
    const request = decodeRequest(method, call.request);
    const admission = method.gate.admit(method.rule, call);
    const admitted = admission instanceof Promise ? await admission : admission;
    context = new GrpcCallContext(call, method.definition.path, admitted, method.log);
    const reply = method.definition.responseSerialize(await method.invoke(request, context));
    context.finish();
    record.succeeded();
    callback(null, reply);
  } catch (error) {
    context?.finish();
    callback(record.failed(error));
  }
}

function requireDeadline(call: ServerUnaryCall<Buffer, Buffer>): void {
  if (Number.isFinite(Number(call.getDeadline()))) return;
  throw new DomainError('invalid', 'DEADLINE_REQUIRED', 'set a deadline: calls without one are refused');
}
