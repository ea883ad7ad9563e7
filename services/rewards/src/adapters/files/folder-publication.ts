import { randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Publication } from '../../application/ports';
import type { PublishedFile } from '../../domain/close-epoch';
import type { RewardAsset } from '../../domain/epoch-inputs';
import { epochFolder } from './published-folder';

/** Publishes into a folder of the file system: an epoch's folder appears whole, by one rename. */
export class FolderPublication extends Publication {
  constructor(private readonly folder: string) {
    super();
  }

  override async publish(asset: RewardAsset, epoch: bigint, files: readonly PublishedFile[]): Promise<void> {
    const target = join(this.folder, epochFolder(asset, epoch));
    const draft = join(this.folder, `.draft-${randomUUID()}`);
    await mkdir(dirname(target), { recursive: true });
    await mkdir(draft);
    try {
      for (const file of files) await writeDurably(join(draft, file.name), file.text);
      await rename(draft, target).catch(ignoreExisting);
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(text, 'utf8');
    await file.sync();
  } finally {
    await file.close();
  }
}

// A closed epoch has one content only, so a folder that is there already, whole, is this one.
function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
}
