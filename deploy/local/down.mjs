// `npm run down`: ends the platform that `npm run demo -- --keep` left running. Its artifacts and epochs stay.
import { join } from 'node:path';
import { ROOT } from './lib/command.mjs';
import { down } from './platform/down.mjs';

await down(join(ROOT, '.daya/demo'));
process.stdout.write('nothing of Daya is running\n');
