// Lets a plain `node` run this package's TypeScript sources, for tests that need a process of their own.
const { transformFileSync } = require('@swc/core');

require.extensions['.ts'] = (module, filename) => {
  const { code } = transformFileSync(filename, {
    swcrc: false,
    module: { type: 'commonjs', strict: true, ignoreDynamic: true },
    jsc: {
      target: 'es2022',
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: false },
      keepClassNames: true,
    },
  });
  module._compile(code, filename);
};
