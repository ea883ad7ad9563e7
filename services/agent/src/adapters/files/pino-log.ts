import pino from 'pino';
import { AgentLog } from '../../application/ports';

/** JSON lines on stderr; stdout stays free for a command's answer. */
export class PinoLog extends AgentLog {
  private readonly logger: pino.Logger;

  constructor(level: string) {
    super();
    this.logger = pino(
      {
        level,
        base: { service: 'agent' },
        formatters: { level: (label) => ({ level: label }) },
        timestamp: pino.stdTimeFunctions.isoTime,
      },
      pino.destination({ dest: 2, sync: true }),
    );
  }

  info(event: string, fields: Readonly<Record<string, unknown>>): void {
    this.logger.info(fields, event);
  }

  warn(event: string, fields: Readonly<Record<string, unknown>>): void {
    this.logger.warn(fields, event);
  }
}
