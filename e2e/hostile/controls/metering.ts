import { MeteringServiceService } from '@daya/proto/metering';
import { control, type Control } from '../control';
import { optionalUuid } from '../rules';

const { listUsage, listDiscrepancies, listRefusedTicks } = MeteringServiceService;
const page = { pageSize: 10, pageToken: '' };

export const METERING: readonly Control[] = [
  control(listUsage, {
    as: 'customer',
    request: async (world) => ({ ...page, jobId: (await world.settledJob()).jobId }),
  }),
  control(listDiscrepancies, { as: 'customer', request: () => page }),
  control(listRefusedTicks, {
    as: 'operator',
    request: () => ({ ...page, nodeId: '' }),
    rules: { node_id: optionalUuid() },
  }),
];
