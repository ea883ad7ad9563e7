import { readFile } from 'node:fs/promises';

/** An input that cannot be read at all; commands answer it with exit code 2. */
export class InputFileError extends Error {}

/** A file's JSON. Throws InputFileError when it is absent, not UTF-8 or not JSON. */
export async function readJsonFile(path: string): Promise<unknown> {
  const bytes = await readFile(path).catch((error: Error) => refuse(`${path}: ${error.message}`));
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return refuse(`${path}: is not UTF-8`);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    return refuse(`${path}: is not JSON: ${(error as Error).message}`);
  }
}

function refuse(message: string): never {
  throw new InputFileError(message);
}
