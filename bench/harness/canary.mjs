// What nodes run to be admitted. Any image will do: the benches' agents are simulated and run nothing.
export const CANARY = {
  image: { digest: `sha256:${'ab'.repeat(32)}` },
  command: ['true'],
  taskCount: 1,
  requirements: { gpuCount: 1 },
  maxRunSeconds: 30,
};
