import type { BlobSource, PreparedImage } from '../../application/ports';
import { ImageInvalid, isDigest } from '../../domain/oci-manifest';

/**
 * Prepares each image once, also when several leases ask at the same time. What is kept is only lent to a lease that
 * can reach the image by itself: knowing a digest must not make a stranger's image anybody's.
 */
export class PrepareOnce {
  private readonly running = new Map<string, Promise<PreparedImage>>();

  constructor(
    private readonly maxManifestBytes: number,
    private readonly make: (digest: string, blobs: BlobSource) => Promise<PreparedImage>,
  ) {}

  /** Throws ImageInvalid, BlobMissing. */
  async prepare(digest: string, blobs: BlobSource): Promise<PreparedImage> {
    if (!isDigest(digest)) throw new ImageInvalid('the image digest is not a sha256 digest');
    await this.confirmReach(digest, blobs);
    const others = this.running.get(digest);
    if (others !== undefined) {
      try {
        return await others;
      } catch (error) {
        // Whatever else went wrong may be the other lease's own trouble: it was stopped, or cut off.
        if (error instanceof ImageInvalid) throw error;
      }
    }
    const own = this.make(digest, blobs).finally(() => this.running.delete(digest));
    this.running.set(digest, own);
    return own;
  }

  private async confirmReach(digest: string, blobs: BlobSource): Promise<void> {
    let bytes = 0;
    for await (const chunk of blobs.fetch({ digest })) {
      bytes += chunk.length;
      if (bytes > this.maxManifestBytes)
        throw new ImageInvalid(`the manifest has more than ${this.maxManifestBytes} bytes`);
    }
  }
}
