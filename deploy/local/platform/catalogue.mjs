// The services of the platform: what each needs and whom it calls. The one place that knows all of them.

/** @type {{ name: string, database: boolean, kafka: boolean, redis: boolean, peers: string[], ports: string[] }[]} */
export const SERVICES = [
  { name: 'billing', database: true, kafka: true, redis: false, peers: [], ports: [] },
  { name: 'metering', database: true, kafka: true, redis: false, peers: [], ports: [] },
  { name: 'rewards', database: true, kafka: true, redis: false, peers: [], ports: [] },
  { name: 'registry', database: true, kafka: true, redis: false, peers: ['scheduler'], ports: [] },
  { name: 'scheduler', database: true, kafka: true, redis: true, peers: ['billing', 'registry'], ports: [] },
  {
    name: 'dispatch',
    database: false,
    kafka: true,
    redis: true,
    peers: ['scheduler', 'registry'],
    ports: ['AGENT_PORT', 'ENROLMENT_PORT'],
  },
  {
    name: 'gateway',
    database: false,
    kafka: false,
    redis: false,
    peers: ['registry', 'scheduler', 'dispatch', 'metering', 'billing', 'rewards'],
    ports: ['HTTP_PORT', 'PARTNER_PORT'],
  },
];

export const TOPICS = [
  'daya.registry.organisations',
  'daya.registry.nodes',
  'daya.registry.offers',
  'daya.scheduler.jobs',
  'daya.scheduler.leases',
  'daya.usage.ticks',
  'daya.metering.usage',
  'daya.billing.charges',
  'daya.rewards.epochs',
];

export const DEMO_TIMER_SCALE = 0.2;
