import { Server, type handleUnaryCall } from '@grpc/grpc-js';
import { loadTls, serverCredentials } from '@daya/nest';
import type { GetNodeRequest, GetNodeResponse } from '@daya/proto/registry';
import { answerMeasurements, replyTo, SUBJECT } from './subject';

/** The peer: nothing but grpc-js and the generated codec, over the same TLS with the same server options. */
const getNode: handleUnaryCall<GetNodeRequest, GetNodeResponse> = (call, callback) =>
  callback(null, replyTo(call.request.nodeId));

const server = new Server({
  'grpc.max_receive_message_length': 512 * 1024,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
});
server.addService(SUBJECT, { getNode });
const tls = loadTls(process.env['TLS_FOLDER'] ?? '', 'registry');
server.bindAsync('127.0.0.1:0', serverCredentials(tls, false), (error, port) => {
  if (error !== null) throw error;
  answerMeasurements(port);
});
