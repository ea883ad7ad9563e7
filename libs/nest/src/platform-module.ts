import type { DynamicModule, LoggerService } from '@nestjs/common';
import { Clock, IdGenerator } from '@daya/kernel';
import { Identity } from './identity/identity';
import { provideValue, SystemClock, token, UuidV7Generator } from './provide';
import type { Logger } from './telemetry/logger';

/** The service's root logger. */
export const LOGGER = token<Logger>('LOGGER');

class PlatformModule {}

/** What every service may ask for without binding it: Identity, LOGGER, Clock, IdGenerator. */
export function platformModule(identity: Identity, log: Logger): DynamicModule {
  const providers = [
    provideValue(Identity, identity),
    provideValue(LOGGER, log),
    provideValue(Clock, new SystemClock()),
    provideValue(IdGenerator, new UuidV7Generator()),
  ];
  return { module: PlatformModule, global: true, providers, exports: [Identity, LOGGER as never, Clock, IdGenerator] };
}

/** Nest's own lines: its chatter at start is for debugging only. */
export function nestLogger(log: Logger): LoggerService {
  return {
    log: (message: unknown) => log.debug(String(message)),
    error: (message: unknown, ...rest: unknown[]) => log.error({ details: rest.map(String) }, String(message)),
    warn: (message: unknown) => log.warn(String(message)),
  };
}
