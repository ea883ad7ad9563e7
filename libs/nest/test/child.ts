import { z } from 'zod';
import { baseConfigShape, loadConfig, runService } from '../src/index';
import { EchoController, Seen } from './echo-controller';
import { ECHO_AUTHZ, EchoService } from './echo-service';

/** A whole service process, for the tests of signals. It says on stdout, as JSON lines, where it listens. */
const config = loadConfig(z.object(baseConfigShape), process.env);
class ChildModule {}

void runService({
  name: 'echo',
  config,
  module: { module: ChildModule, controllers: [EchoController], providers: [Seen] },
  grpc: [EchoService],
  authz: ECHO_AUTHZ,
});
