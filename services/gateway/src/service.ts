import { runService, type RunningService, type ServiceOptions } from '@daya/nest';
import { KeyWatch } from './access/key-watch';
import { AppModule } from './app.module';
import type { GatewayConfig } from './config';
import { HttpServer } from './http/http-server';
import { PartnerServer } from './partner/partner-server';

/** Two doors: REST for front ends (`ports.http`) and gRPC over TLS for partners (`ports.partner`). */
export async function startGateway(
  config: GatewayConfig,
  options: Partial<ServiceOptions> = {},
): Promise<RunningService> {
  const running = await runService({
    name: 'gateway',
    config,
    module: AppModule.with(config),
    grpc: [],
    // Stopped in reverse: both doors first.
    startables: [KeyWatch, PartnerServer, HttpServer],
    ...options,
  });
  const port = (server: typeof HttpServer | typeof PartnerServer): number =>
    running.app.get<HttpServer | PartnerServer>(server).port;
  return { ...running, ports: { ...running.ports, http: port(HttpServer), partner: port(PartnerServer) } };
}
