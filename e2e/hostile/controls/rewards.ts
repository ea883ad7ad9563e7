import { RewardsServiceService } from '@daya/proto/rewards';
import { control, type Control } from '../control';
import { atLeast, shaped, text } from '../rules';

const { getEpoch, listEpochs, listRewards, getRewardProof } = RewardsServiceService;
const OTHER_ASSETS = [
  'daya',
  'DAYA ',
  ' DAYA',
  'DAYA_TEST2',
  'DAYA\0',
  'USD',
  'CREDIT',
  'USDC:eip155:1',
  'null',
  '%',
  'D'.repeat(5_000),
  'ＤＡＹＡ',
];
const RULES = { number: atLeast(0), asset: shaped(OTHER_ASSETS) };

export const REWARDS: readonly Control[] = [
  control(getEpoch, { as: 'customer', request: (world) => world.epoch(), rules: RULES }),
  control(listEpochs, {
    as: 'customer',
    request: () => ({ pageSize: 10, pageToken: '', asset: 'DAYA_TEST' }),
    rules: { asset: shaped(OTHER_ASSETS, { required: false }) },
  }),
  control(listRewards, {
    as: 'customer',
    request: async (world) => ({ ...(await world.epoch()), pageSize: 10, pageToken: '' }),
    rules: RULES,
  }),
  control(getRewardProof, {
    as: 'customer',
    request: (world) => world.reward(),
    rules: { ...RULES, account: text(128, { refused: ['\0'] }) },
  }),
];
