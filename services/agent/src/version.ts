export const AGENT_VERSION = '0.1.0';
/** Of the frames on the agent's stream. */
export const PROTOCOL_VERSION = 1;
