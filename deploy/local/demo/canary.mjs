// What a node must run before it enters the market: a small real container with its GPU, through the ordinary rental path.
export const canarySpec = ({ digest }) => ({
  image: { digest },
  command: ['sh', '-c', 'mkdir -p out && head -c 1000000 /dev/zero | sha256sum > out/sum.txt'],
  taskCount: 1,
  requirements: { gpuCount: 1, cpuMilli: 500, memoryMib: 128, scratchMib: 16 },
  maxRunSeconds: 30,
  outputPath: 'out',
});
