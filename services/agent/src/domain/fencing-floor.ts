/** The highest lease token that each GPU of this node has ever accepted, by GPU uuid. */
export type FencingFloor = ReadonlyMap<string, bigint>;

export const EMPTY_FLOOR: FencingFloor = new Map();

/** GPUs that have already accepted `token` or a higher one; the offer must then be refused. */
export function gpusAtOrAbove(floor: FencingFloor, gpuUuids: readonly string[], token: bigint): readonly string[] {
  return gpuUuids.filter((uuid) => token <= floorOf(floor, uuid));
}

/**
 * The floor after accepting `token` on these GPUs. Never lowers a GPU: the token is the only thing that keeps a
 * forgotten lease from coming back after the agent has already taken a newer one.
 */
export function raiseFloor(floor: FencingFloor, gpuUuids: readonly string[], token: bigint): FencingFloor {
  const raised = new Map(floor);
  for (const uuid of gpuUuids) {
    if (token > floorOf(floor, uuid)) raised.set(uuid, token);
  }
  return raised;
}

function floorOf(floor: FencingFloor, uuid: string): bigint {
  return floor.get(uuid) ?? -1n;
}
