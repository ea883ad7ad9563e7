/**
 * The values of `source` until `signal` aborts; then it ends without an error, at once, even while the source is waiting
 * for its next value. The source is told to return either way, and is not waited for when it does not listen.
 */
export async function* untilAborted<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal,
): AsyncGenerator<T, void, undefined> {
  const iterator = source[Symbol.asyncIterator]();
  let wake: () => void = () => undefined;
  const onAbort = (): void => wake();
  signal.addEventListener('abort', onAbort);
  let exhausted = false;
  try {
    while (!signal.aborted) {
      const next = iterator.next();
      const result = await new Promise<IteratorResult<T> | undefined>((resolve, reject) => {
        wake = () => resolve(undefined);
        next.then(resolve, reject);
      });
      if (result === undefined) return;
      if (result.done === true) {
        exhausted = true;
        return;
      }
      yield result.value;
    }
  } catch (error) {
    exhausted = true;
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    if (!exhausted) void Promise.resolve(iterator.return?.()).catch(() => undefined);
  }
}
